# /// script
# requires-python = ">=3.11"
# dependencies = ["dlt[postgres]==1.31.0"]
# [tool.uv]
# exclude-newer = "2026-11-20T00:00:00Z"
# ///
"""dlt's `rest_api` source into its `postgres` destination, merged by id."""

import os

import dlt
from dlt.common.pipeline import LoadInfo
from dlt.sources.rest_api import rest_api_source
from protocol import Task, serve

os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"
os.environ["RUNTIME__LOG_LEVEL"] = "ERROR"


def load(task: Task) -> None:
    """One run of the pipeline."""
    pipeline = dlt.pipeline(
        task.subject,
        pipelines_dir=f"{task.folder}/dlt",
        destination=dlt.destinations.postgres(task.database),
        dataset_name="contacts_data",
    )
    found: LoadInfo = pipeline.run(source(task))
    found.raise_on_failed_jobs()


def source(task: Task) -> object:
    """The same pages as everybody's."""
    endpoint: dict[str, object] = {
        "path": "contacts",
        "data_selector": "contacts",
        "paginator": {"type": "cursor", "cursor_path": "next", "cursor_param": "cursor"},
    }
    if task.incremental:
        endpoint["params"] = {"updated_since": "{incremental.start_value}"}
        endpoint["incremental"] = {"cursor_path": "updated_at", "initial_value": "2000-01-01T00:00:00Z"}
    contacts = {"name": "contacts", "primary_key": "id", "write_disposition": "merge", "endpoint": endpoint}
    return rest_api_source({"client": {"base_url": f"{task.url}/"}, "resources": [contacts]})


if __name__ == "__main__":
    serve(f"dlt {dlt.__version__}", load)
