"""What Temporal Web can filter workflows by: whether they are well."""

from typing import Final, Literal

from temporalio import workflow
from temporalio.common import SearchAttributeKey

STATE_ATTRIBUTE: Final = SearchAttributeKey.for_keyword("ContactSyncState")

State = Literal["ok", "paused", "failing", "holding"]
"""`failing`: the last try ended with an error; `holding`: deletions wait for approval."""


def tell_state(state: State) -> None:
    """Set the workflow's attribute, if it is another one now."""
    if workflow.info().typed_search_attributes.get(STATE_ATTRIBUTE) != state:
        workflow.upsert_search_attributes([STATE_ATTRIBUTE.value_set(state)])
