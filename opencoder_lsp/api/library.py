"""The chat page's routes for folders, prompts, and files of conversations."""

import asyncio
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from opencoder_lsp.api.conversations import BODY_SECONDS, PATH, Handler, for_session
from opencoder_lsp.api.page_wire import FolderBody, PromptBody
from opencoder_lsp.api.sessions import Sessions
from opencoder_lsp.conversations.archives import Archive, archive_json, read_archive
from opencoder_lsp.conversations.library import Folder, Library, Prompt
from opencoder_lsp.conversations.store import Store
from opencoder_lsp.serving.messages import read_body


class LibraryRoutes:
    """The routes, on one store and the library in the same file."""

    def __init__(self, sessions: Sessions, store: Store) -> None:
        self._store = store
        self._library = Library(store.path)
        routes: list[tuple[str, str, Handler]] = [
            ("GET", "library", self._show),
            ("POST", "folders", self._keep_folder),
            ("DELETE", "folders/{id}", self._delete_folder),
            ("POST", "prompts", self._keep_prompt),
            ("DELETE", "prompts/{id}", self._delete_prompt),
            ("GET", "archive", self._export),
            ("POST", "archive", self._import),
        ]
        self.routes = [
            Route(PATH + path, for_session(sessions, handler), methods=[method])
            for method, path, handler in routes
        ]

    async def _show(self, _request: Request) -> Response:
        return await self._shown()

    async def _shown(self) -> Response:
        library = archive_json(await asyncio.to_thread(self._read, with_conversations=False))
        return JSONResponse({name: library[name] for name in ("folders", "prompts")})

    async def _keep_folder(self, request: Request) -> Response:
        body = FolderBody.parse(await read_body(request, BODY_SECONDS))
        folder = Folder(**body.model_dump(exclude_none=True))
        await asyncio.to_thread(self._library.keep_folder, folder)
        return await self._shown()

    async def _delete_folder(self, request: Request) -> Response:
        await asyncio.to_thread(self._library.delete_folder, request.path_params["id"])
        return await self._shown()

    async def _keep_prompt(self, request: Request) -> Response:
        body = PromptBody.parse(await read_body(request, BODY_SECONDS))
        prompt = Prompt(**body.model_dump(exclude_none=True))
        await asyncio.to_thread(self._library.keep_prompt, prompt)
        return await self._shown()

    async def _delete_prompt(self, request: Request) -> Response:
        await asyncio.to_thread(self._library.delete_prompt, request.path_params["id"])
        return await self._shown()

    async def _export(self, _request: Request) -> Response:
        archive = await asyncio.to_thread(self._read, with_conversations=True)
        return JSONResponse(await asyncio.to_thread(archive_json, archive))

    async def _import(self, request: Request) -> Response:
        """Take in what is not there yet, and say how much that was."""
        raw = await read_body(request, BODY_SECONDS)
        return JSONResponse(await asyncio.to_thread(self._take_in, raw))

    def _read(self, *, with_conversations: bool) -> Archive:
        ids = [one.id for one in self._store.summaries()] if with_conversations else []
        conversations = [self._store.conversation(id) for id in ids]
        return Archive(conversations, self._library.folders(), self._library.prompts())

    def _take_in(self, raw: bytes) -> dict[str, Any]:
        archive = read_archive(raw)
        for folder in archive.folders:
            self._library.keep_folder(folder)
        for prompt in archive.prompts:
            self._library.keep_prompt(prompt)
        added = sum(self._store.insert(one) for one in archive.conversations)
        return {
            "added": added,
            "known": len(archive.conversations) - added,
            "folders": len(archive.folders),
            "prompts": len(archive.prompts),
        }
