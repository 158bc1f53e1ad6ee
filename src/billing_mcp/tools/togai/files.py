"""Reports that Togai has written, and the files they are in."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from billing_mcp.declarations import READ, Toolset
from billing_mcp.errors import InvalidRequest, Unavailable
from billing_mcp.params import AccountId, Name, NextToken, PageSize, Search
from billing_mcp.results import Result, TokenPage
from billing_mcp.upstream import Togai

toolset = Toolset("togai-files")

FileId = Annotated[Name, Field(min_length=1, max_length=50, description="From list-reports")]


class Report(Result):
    concise: ClassVar = ("id", "name", "status", "type", "account_id", "fileId", "createdAt")

    id: str
    name: str
    status: str | None = None
    type: str | None = None
    account_id: str | None = None
    fileId: str | None = None
    createdAt: str | None = None


class FileLink(Result):
    """Where a file can be downloaded without a key, for as long as the link holds."""

    downloadUrl: str


@toolset.tool(READ, "GET /reports")
async def list_reports(
    togai: Togai,
    fetchFor: Annotated[
        Literal["ALL", "ORGANIZATION", "ACCOUNTS"] | None, Field(description="Whose; default ALL")
    ] = None,
    accountId: Annotated[AccountId | None, Field(description="With ACCOUNTS")] = None,
    search: Annotated[Search, Field(description="In id, name, fileId or account")] = None,
    pageSize: PageSize = None,
    nextToken: NextToken = None,
) -> TokenPage[Report]:
    """List reports, latest first. get-file-download-url gives a link to one's fileId."""
    if accountId is not None and fetchFor != "ACCOUNTS":
        raise InvalidRequest(
            "accountId goes with fetchFor ACCOUNTS only; nothing was sent.",
            field="accountId",
            next_step="Give fetchFor ACCOUNTS with it.",
        )
    return await togai.fetch(
        TokenPage[Report],
        query={
            "fetchFor": fetchFor,
            "account_id": accountId,
            "_search": search,
            "pageSize": pageSize,
            "nextToken": nextToken,
        },
    )


@toolset.tool(READ, "GET /files/{file_id}")
async def get_file(togai: Togai, fileId: FileId) -> FileLink:
    """Show where a file is: a link that needs no key. Its content is not read."""
    answer = await togai.send(at={"file_id": fileId}, accept=(302,))
    if answer.location is None:
        raise Unavailable(
            "Togai answered without saying where the file is.",
            next_step="get-file-download-url asks for a link in another way.",
        )
    return FileLink(downloadUrl=answer.location)


@toolset.tool(READ, "GET /files/{file_id}/download_url", title="Get the download link of a file")
async def get_file_download_url(
    togai: Togai,
    fileId: FileId,
    expiry: Annotated[
        int | None, Field(ge=1, le=604_800, description="Seconds; default an hour")
    ] = None,
) -> FileLink:
    """Make a link to a file, to share: it needs no key as long as it holds."""
    return await togai.fetch(FileLink, at={"file_id": fileId}, query={"expiry": expiry})
