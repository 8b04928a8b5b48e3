"""Channels that a workflow or its activities have."""

from tests.integration.leaks.table import Guard, Verdict, carried

SEALED, REFUSED, REPLACED = Verdict.SEALED, Verdict.REFUSED, Verdict.REPLACED
TYPED, ABSENT = Verdict.TYPED, Verdict.ABSENT

carried("result of a workflow", "result", SEALED, Guard.CODEC)
carried("workflow failure: details", "fail: details", SEALED, Guard.CODEC)
carried("workflow failure: type", "fail: type", REPLACED, Guard.FAILURE_TYPES)
carried("workflow failure: message of its cause", "fail: cause", SEALED, Guard.FAILURE_TEXT)
carried("workflow task failure: message of ours", "fail: ours", SEALED, Guard.FAILURE_TEXT)
carried("workflow task failure: message of a library", "fail: foreign", REPLACED, Guard.FAILURE_TYPES)
carried("workflow task failure: name of its class", "fail: class", REPLACED, Guard.FAILURE_TYPES)
carried("workflow task failure: name of a function in its trace", "fail: trace", SEALED, Guard.FAILURE_TEXT)

carried("activity: argument", "activity: argument", SEALED, Guard.CODEC)
carried("activity: result", "answer", SEALED, Guard.CODEC)
carried("activity: summary", "activity: summary", SEALED, Guard.CODEC)
carried("activity: header", "activity: header", SEALED, Guard.HEADERS)
carried("activity: name of a header", "activity: header key", REFUSED, Guard.KEYS)
carried("activity: id", "activity: id", REFUSED, Guard.UNUSED)
carried("activity: type", "activity: type", REFUSED, Guard.NAMES)
carried("activity: task queue", "activity: task queue", REFUSED, Guard.QUEUES)
carried("activity: error types of its retry policy", "activity: error types", REFUSED, Guard.RETRIES)
carried("activity: fairness key", "activity: fairness", REFUSED, Guard.FAIRNESS)

for _kind, _verdict, _guard in (
    ("ours", SEALED, Guard.FAILURE_TEXT),
    ("foreign", REPLACED, Guard.FAILURE_TYPES),
    ("type", REPLACED, Guard.FAILURE_TYPES),
    ("class", REPLACED, Guard.FAILURE_TYPES),
    ("details", SEALED, Guard.CODEC),
    ("cause", SEALED, Guard.FAILURE_TEXT),
    ("cause's type", REPLACED, Guard.FAILURE_TYPES),
    ("cause's details", SEALED, Guard.CODEC),
    ("second cause", SEALED, Guard.FAILURE_TEXT),
    ("trace", SEALED, Guard.FAILURE_TEXT),
):
    carried(f"activity failure: {_kind}", f"failing: {_kind}", _verdict, _guard)

carried("activity failure: context", "failing: context", ABSENT, Guard.NONE, bare=False)
carried("heartbeat of an attempt that fails", "beat: failed", ABSENT, Guard.NONE, bare=False)
carried("heartbeat of an attempt that times out", "beat: timed out", SEALED, Guard.CODEC)

carried("local activity: argument", "local: argument", ABSENT, Guard.NONE, bare=False)
carried("local activity: result, in its marker", "local: result", SEALED, Guard.CODEC)
carried("local activity failure: message", "local: ours", SEALED, Guard.FAILURE_TEXT)
carried("local activity failure: type", "local: type", REPLACED, Guard.FAILURE_TYPES)
carried("local activity failure: details", "local: details", SEALED, Guard.CODEC)
carried("local activity: id", "local: id", REFUSED, Guard.UNUSED)
carried("local activity: summary", "local: summary", SEALED, Guard.CODEC)
carried("local activity: name of a header", "local: header key", REFUSED, Guard.KEYS, bare=False)

carried("timer: summary", "timer", SEALED, Guard.CODEC)
carried("memo that a workflow sets", "memo: value", SEALED, Guard.CODEC)
carried("key of a memo that a workflow sets", "memo: key", TYPED, Guard.HOUSE)
carried("search attribute that a workflow sets", "attribute", TYPED, Guard.HOUSE)
carried("name of a patch", "patch: new", TYPED, Guard.HOUSE)
carried("name of a patch that ends", "patch: deprecated", TYPED, Guard.HOUSE)
carried("cancelling another workflow: its id", "other: cancel", TYPED, Guard.HOUSE)
carried("cancelling another workflow: the reason", "other: cancel reason", TYPED, Guard.HOUSE)

carried("next run: argument", "again: argument", SEALED, Guard.CODEC)
carried("next run: memo", "again: memo", SEALED, Guard.CODEC)
carried("next run: key of its memo", "again: memo key", REFUSED, Guard.KEYS)
carried("next run: search attribute", "again: attribute", REFUSED, Guard.ATTRIBUTES)
carried("next run: task queue", "again: task queue", REFUSED, Guard.QUEUES)
carried("next run: type", "again: type", REFUSED, Guard.NAMES)
carried("next run: error types of its retry policy", "again: error types", REFUSED, Guard.RETRIES)

carried("child: argument", "child: argument", SEALED, Guard.CODEC)
carried("child: result", "child: result", SEALED, Guard.CODEC)
carried("child: failure", "child: failure", SEALED, Guard.FAILURE_TEXT)
carried("child: memo", "child: memo", SEALED, Guard.CODEC)
carried("child: key of its memo", "child: memo key", REFUSED, Guard.KEYS)
carried("child: id", "child: id", REFUSED, Guard.IDS)
carried("child: type", "child_unheard: type", REFUSED, Guard.NAMES)
carried("child: task queue", "child_unheard: task queue", REFUSED, Guard.QUEUES)
carried("child: search attribute", "child: attribute", REFUSED, Guard.ATTRIBUTES)
carried("child: static summary", "child: summary", SEALED, Guard.CODEC)
carried("child: static details", "child: details", SEALED, Guard.CODEC)
carried("child: cron expression", "child: cron", REFUSED, Guard.UNUSED, bare=False)
carried("child: error types of its retry policy", "child: error types", REFUSED, Guard.RETRIES)
carried("child: fairness key", "child: fairness", REFUSED, Guard.FAIRNESS)
carried("child: argument of a signal", "child: signal", SEALED, Guard.CODEC)
carried("child: name of a signal", "child: signal name", REFUSED, Guard.NAMES)
carried("another workflow: argument of a signal", "other: argument", SEALED, Guard.CODEC)
carried("another workflow: name of a signal", "other: name", REFUSED, Guard.NAMES)
carried("another workflow: id", "other: id", REFUSED, Guard.IDS)
carried("line of the workflow's logger", "log", ABSENT, Guard.NONE, bare=False)
