"""The workflow whose deeds carry a planted string into the channels that only workflows have."""

from typing import Any

from temporalio import workflow
from temporalio.common import SearchAttributeKey
from temporalio.exceptions import ActivityError, ApplicationError, ChildWorkflowError

with workflow.unsafe.imports_passed_through():
    from tests.integration.leaks import carrier
    from tests.integration.leaks.carrier import ONCE, SHORT, SOON, Load, Quiet, Said
    from tests.integration.leaks.scanning import id_with


@workflow.defn
class Carrier:
    """Does the deed of its load."""

    @workflow.run
    async def run(self, load: Load) -> object:
        """Do it."""
        name, _, kind = load.deed.partition(": ")
        return await getattr(self, f"do_{name}")(kind, load)

    async def do_nothing(self, _kind: str, _load: Load) -> None:
        """Nothing."""

    async def do_result(self, _kind: str, load: Load) -> str:
        """Answer with the string."""
        return load.text

    async def do_fail(self, kind: str, load: Load) -> None:
        """Fail the run, or its task."""
        carrier.fail(kind, load.text)

    async def do_activity(self, kind: str, load: Load) -> None:
        """An activity with the string in one of its options, in its argument or in its name."""
        argument = Said(text=load.text if kind == "argument" else "constant")
        options: dict[str, Any] = {"retry_policy": ONCE, **carrier.options_of(kind, load.text)}
        name = load.text if kind == "type" else "take"
        handle = workflow.start_activity(name, argument, schedule_to_close_timeout=SHORT, **options)
        if kind in {"type", "task queue"}:
            await workflow.sleep(SOON)
        else:
            await handle

    async def do_answer(self, _kind: str, load: Load) -> None:
        """An activity that answers with the string."""
        await workflow.execute_activity(carrier.give, load, start_to_close_timeout=SHORT)

    async def do_failing(self, kind: str, load: Load) -> None:
        """An activity that fails with the string."""
        failing = Load(deed=kind, number=load.number, token=load.token)
        try:
            await workflow.execute_activity(carrier.fail_as, failing, start_to_close_timeout=SHORT, retry_policy=ONCE)
        except ActivityError:
            return

    async def do_beat(self, kind: str, load: Load) -> None:
        """An activity that sends the string with its heartbeat."""
        beating = Load(deed=kind, number=load.number, token=load.token)
        limit = SHORT if kind != "timed out" else SOON * 300
        try:
            await workflow.execute_activity(
                carrier.beat, beating, start_to_close_timeout=SHORT, heartbeat_timeout=limit, retry_policy=ONCE
            )
        except ActivityError:
            return

    async def do_later(self, _kind: str, load: Load) -> None:
        """An activity that somebody else completes."""
        await workflow.execute_activity(
            carrier.finish_later, load, activity_id=None, start_to_close_timeout=SHORT, retry_policy=ONCE
        )

    async def do_local(self, kind: str, load: Load) -> None:
        """A local activity with the string in one place."""
        options: dict[str, Any] = {"retry_policy": ONCE, "start_to_close_timeout": SHORT}
        options |= carrier.options_of(kind, load.text)
        try:
            if kind == "result":
                await workflow.execute_local_activity(carrier.give, load, **options)
            elif kind in {"ours", "type", "details"}:
                failing = Load(deed=kind, number=load.number, token=load.token)
                await workflow.execute_local_activity(carrier.fail_as, failing, **options)
            else:
                said = Said(text=load.text if kind == "argument" else "constant")
                await workflow.execute_local_activity(carrier.take, said, **options)
        except (ActivityError, ApplicationError):
            return

    async def do_timer(self, _kind: str, load: Load) -> None:
        """A timer with a summary."""
        await workflow.sleep(SOON, summary=load.text)

    async def do_details(self, _kind: str, load: Load) -> None:
        """The workflow's current details, which Temporal asks for with a query."""
        workflow.set_current_details(load.text)
        await workflow.wait_condition(lambda: False)

    async def do_memo(self, kind: str, load: Load) -> None:
        """The workflow's own memo."""
        workflow.upsert_memo({load.text: "constant"} if kind == "key" else {"memo": load.text})

    async def do_attribute(self, _kind: str, load: Load) -> None:
        """The workflow's own search attribute."""
        workflow.upsert_search_attributes([carrier.TENANT_KEY.value_set(load.text)])

    async def do_attribute_name(self, _kind: str, load: Load) -> None:
        """A search attribute that nobody knows."""
        workflow.upsert_search_attributes([SearchAttributeKey.for_keyword(load.text).value_set("constant")])

    async def do_patch(self, kind: str, load: Load) -> None:
        """A patch's name."""
        if kind == "deprecated":
            workflow.deprecate_patch(load.text)
        else:
            workflow.patched(load.text)

    async def do_log(self, _kind: str, load: Load) -> None:
        """The SDK's logger."""
        workflow.logger.error("said %s", load.text, extra={"said": load.text})

    async def do_again(self, kind: str, load: Load) -> None:
        """Go on as another run."""
        if load.run:
            return
        following: dict[str, Any] = {
            "memo": {"memo": {"memo": load.text}},
            "memo key": {"memo": {load.text: "constant"}},
            "attribute": {"search_attributes": carrier.attribute(load.text)},
            "task queue": {"task_queue": f"{load.text}@"},
            "type": {"workflow": load.text},
            "error types": carrier.options_of("error types", load.text),
        }.get(kind, {})
        deed = load.text if kind == "argument" else "nothing"
        workflow.continue_as_new(Load(deed=deed, run=1), **following)

    async def do_child(self, kind: str, load: Load) -> None:
        """A child with the string in one of its options, its argument, its result or its name."""
        options: dict[str, Any] = {"id": self._other_id(), **carrier.child_options_of(kind, load.text)}
        deed = {"result": "give", "failure": "fail"}.get(kind, "wait")
        given = Load(deed=deed, number=load.number if deed != "wait" else 0, token=load.token)
        argument = Load(deed=load.text) if kind == "argument" else given
        child = await workflow.start_child_workflow(load.text if kind == "type" else "Quiet", argument, **options)
        if kind == "signal":
            await child.signal(Quiet.hear, Said(text=load.text))
        elif kind == "signal name":
            await child.signal(load.text)
        elif deed != "wait":
            try:
                await child
            except ChildWorkflowError:
                return

    async def do_child_unheard(self, kind: str, load: Load) -> None:
        """A child that nobody runs, so that only its start matters."""
        options: dict[str, Any] = {"type": {}, "task queue": {"task_queue": f"{load.text}@"}}[kind]
        name = load.text if kind == "type" else "Quiet"
        await workflow.start_child_workflow(name, Load(), id=self._other_id(), **options)

    async def do_other(self, kind: str, load: Load) -> None:
        """A signal to, or a cancellation of, a workflow elsewhere."""
        target = id_with(load.text) if kind in {"id", "cancel"} else workflow.info().workflow_id
        handle = workflow.get_external_workflow_handle(target)
        try:
            if kind == "cancel":
                await handle.cancel()
            elif kind == "cancel reason":
                await handle.cancel(reason=load.text)
            elif kind == "name":
                await handle.signal(load.text)
            else:
                await handle.signal("hear", Said(text=load.text if kind == "argument" else "constant"))
        except ApplicationError:
            return

    @workflow.signal
    def hear(self, said: Said) -> None:
        """Hear it."""

    def _other_id(self) -> str:
        """An id of its own, of the same tenant."""
        kind, tenant, _ = workflow.info().workflow_id.split("/")
        return f"{kind}/{tenant}/{workflow.uuid4()}"
