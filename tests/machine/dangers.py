"""Stories that chance tells seldom, and that every run plays first."""

from typing import Final

from tests.machine.steps import Script, Step

SYNC: Final = Step("sync")
SETTLE: Final = Step("settle")

LATE_COMMITS: Final = Script(
    relists=False, steps=(SYNC, Step("late", 3), SYNC, Step("hidden", 4, 1), SYNC, Step("tie", 0, 11), Step("late", 9))
)
"""What commits late lies behind what was read already."""

EDITED_LISTING: Final = Script(
    relists=True,
    steps=(SYNC, Step("edit", 9, at=2), Step("delete", 2, at=3), Step("503"), Step("rename", 5, at=4), SYNC, SETTLE),
)
"""A listing is edited, and fails, while it is read."""

PURGED_BEHIND_A_BACKFILL: Final = Script(
    relists=False,
    steps=(
        *(SYNC, Step("add"), Step("stall", 1), Step("backfill"), Step("wait"), Step("purge", 16), Step("policy")),
        *(SYNC, Step("release"), SETTLE),
    ),
)
"""A live listing finds somebody gone whom a backfill has read and not yet written."""

MASS_DELETION: Final = Script(
    relists=False,
    steps=(
        *(SYNC, Step("mass"), SYNC, Step("restore"), Step("restore"), SETTLE, Step("zombies"), Step("reject"), SETTLE),
        *(Step("mass", 1, 1), Step("backfill"), SETTLE, Step("approve"), Step("zombies"), Step("blank")),
    ),
)
"""Many are deleted, some come back, the rest is rejected; then many vanish silently and that is approved."""

LATE_ATTEMPTS: Final = Script(
    relists=True,
    steps=(
        *(SYNC, Step("edit", 1), Step("edit", 14), Step("stall"), Step("begin"), Step("wait"), Step("zombies")),
        *(Step("release"), SYNC, Step("strike", 2, 5), Step("merge", 3, 7), Step("backfill"), SYNC, Step("restart")),
        *(Step("zombies"), SETTLE),
    ),
)
"""Pages of passes that are over are written while another pass is about to write its first."""

ROTATED_MEANWHILE: Final = Script(
    relists=False,
    steps=(
        *(SYNC, Step("edit", 1), Step("stall"), Step("begin"), Step("wait"), Step("rotate", 2), Step("delete", 3)),
        *(Step("backfill"), Step("zombies"), Step("release"), SYNC, Step("restart"), SETTLE, Step("rotate", 1)),
        *(Step("purge", 5), Step("strike", 1, 3), SYNC, Step("zombies"), Step("restore"), SETTLE, Step("rotate")),
    ),
)
"""All keys are replaced while a page waits to be written, again while people are deleted, and once more at the end."""

DANGERS: Final = (
    *(LATE_COMMITS, EDITED_LISTING, PURGED_BEHIND_A_BACKFILL, MASS_DELETION, LATE_ATTEMPTS, ROTATED_MEANWHILE),
)
