"""The installed command, from the first tenant to a contact on the screen."""

import json

from .address_books import AddressBook
from .deployment import Deployment


async def test_the_story_of_one_address_book(deployment: Deployment, book: AddressBook) -> None:
    """A tenant, a connection, a pass, a look at it, a contact opened, a change followed, a pause and its end."""
    tenant = await deployment.tenant()
    async with deployment.worker():
        connection = await deployment.connection(tenant[:8], *book.options())
        await deployment.sync(connection)
        assert await deployment.held(tenant, connection) == book.cards
        status = await deployment.json("status", connection)
        assert (status.at("connection", "contacts"), status.at("connection", "fresh")) == (2, True)
        found = await deployment.json("contacts", "find", "--tenant", tenant, "--email", "ZOE@quill.example")
        [contact] = json.loads(found.out)["contacts"]
        shown = await deployment.json("contacts", "show", contact["id"], "--tenant", tenant, "--reason", "TICKET-1")
        assert shown.at("contact") == contact
        assert contact["contact"]["name"]["full"] == "Zoë Quill"
        assert contact["contact"]["phones"][0]["number"] == "+4930123456"
        await book.put("3.vcf", "Cy Penn", "cy@penn.example")
        await book.delete("2.vcf")
        counts = await deployment.sync(connection[:8])
        assert (counts["downloaded"], counts["added"], counts["deleted"]) == (1, 1, 1)
        assert await deployment.held(tenant, connection) == book.cards
        await deployment.json("connection", "pause", connection, "--reason", "maintenance")
        assert await deployment.refused("sync", "now", connection, "--wait") == (10, "ConnectionPaused")
        await deployment.json("connection", "resume", connection)
        await deployment.sync(connection)
    assert (await deployment.json("contacts", "count", "--tenant", tenant)).at("contacts") == 2
