"""
title: Toolgate
author: Toolgate
description: Lists and calls the tools that you may use through Toolgate, as you and nobody else.
version: 1.0.0
required_open_webui_version: 0.10.2
"""

# One Tool file of Open WebUI. It is code for a server that many people share: it keeps nothing of a person but, for a
# minute, which of their tools must be asked about, and it never writes a token anywhere.
# It speaks MCP 2026-07-28 to the gate: one POST a request, no session. Only what Open WebUI ships is imported.

import asyncio
import base64
import hashlib
import json
import logging
import re
import time
from collections import OrderedDict
from difflib import get_close_matches
from typing import Any, AsyncIterator, Awaitable, Callable, Literal, Optional
from urllib.parse import urlsplit

import aiohttp
from pydantic import BaseModel, Field

try:  # A private certificate authority that Open WebUI was told about counts here too.
    from open_webui.env import AIOHTTP_CLIENT_SESSION_TOOL_SERVER_SSL as TLS
except ImportError:
    TLS = True

log = logging.getLogger(__name__)

REVISION = "2026-07-28"
META = "io.modelcontextprotocol/"
MAX_RESPONSE_BYTES = 16 * 1024 * 1024
MAX_IMAGE_CHARS = 5 * 1024 * 1024
MAX_PAGES = 50
MARKS_SECONDS = 60
MARKS_PEOPLE = 256
SHOWN_WITH_SCHEMA = 8
SHOWN = 60

Emit = Optional[Callable[[dict], Awaitable[Any]]]


class Refused(Exception):
    """What the person and the model are told; holds no token and nothing of the program's inside."""


class NotSignedIn(Refused):
    """This credential is not accepted; another one may be."""


class Tools:
    class Valves(BaseModel):
        gateway_url: str = Field("http://localhost:8085", description="Toolgate's address as this server reaches it.")
        mcp_path: str = Field("/mcp", description="/mcp is all tools of a person; /mcp/{server} and /t/{tenant}/mcp are fewer.")
        credential: Literal["auto", "oauth", "session"] = Field(
            "auto",
            description="What proves who asks: the access token of single sign-on, the session of Open WebUI, or both in that order.",
        )
        timeout_seconds: int = Field(120, ge=1, le=3600, description="How long one call may take.")
        max_result_chars: int = Field(30000, ge=500, le=1000000, description="Longer results are cut, and say so.")
        confirm_destructive: bool = Field(True, description="Ask before a tool that may change or delete something.")
        confirm_unmarked: bool = Field(True, description="Ask also before tools that do not say what they do.")

    def __init__(self) -> None:
        self.valves = self.Valves()
        self._marks: OrderedDict[str, tuple[float, dict[str, dict]]] = OrderedDict()

    async def list_my_tools(
        self,
        query: str = "",
        __oauth_token__: Optional[dict] = None,
        __request__: Any = None,
        __metadata__: Optional[dict] = None,
        __event_emitter__: Emit = None,
    ) -> str:
        """
        Lists the tools that the user may use through Toolgate: names, what they do and their parameters. Call this
        before call_tool to learn exact names. With few matches the whole parameter schema is shown.
        :param query: words that the tool's name or description should hold; empty for all tools
        """
        say = _Status(__event_emitter__)
        try:
            gate = _Gate(self.valves, _credentials(self.valves, __oauth_token__, __request__), __metadata__)
            await say.now("Looking up your tools")
            tools = _matching(await self._all_tools(gate), query)
            await say.end(f"{len(tools)} tools")
            return _catalogue(tools, query, self.valves.max_result_chars)
        except Exception as error:
            return await say.failed(error)

    async def call_tool(
        self,
        name: str,
        arguments_json: str = "{}",
        __oauth_token__: Optional[dict] = None,
        __request__: Any = None,
        __metadata__: Optional[dict] = None,
        __event_emitter__: Emit = None,
        __event_call__: Emit = None,
    ) -> str:
        """
        Calls one tool of the user through Toolgate and returns its result. Use list_my_tools first to learn its exact
        name and parameters.
        :param name: the exact name, for example files__read_text_file
        :param arguments_json: the tool's arguments as one JSON object in text, for example {"path": "notes.txt"}
        """
        say = _Status(__event_emitter__)
        try:
            arguments = _arguments(arguments_json)
            gate = _Gate(self.valves, _credentials(self.valves, __oauth_token__, __request__), __metadata__)
            await self._ask_first(gate, name, arguments, __event_call__)
            await say.now(f"Calling {name}")
            result = await gate.request("tools/call", {"name": name, "arguments": arguments}, say.progress)
            await _show_images(result, __event_emitter__)
            await say.end(f"{name} answered" if result.get("isError") is not True else f"{name} answered with an error")
            return _text_of(result, self.valves.max_result_chars)
        except Exception as error:
            return await say.failed(error)

    async def _all_tools(self, gate: "_Gate") -> list[dict]:
        tools: list[dict] = []
        cursor = None
        for _ in range(MAX_PAGES):
            page = await gate.request("tools/list", {} if cursor is None else {"cursor": cursor})
            tools += [tool for tool in page.get("tools") or [] if isinstance(tool, dict) and "name" in tool]
            cursor = page.get("nextCursor")
            if not cursor:
                break
        self._marks[gate.person] = (time.monotonic(), {tool["name"]: tool.get("annotations") or {} for tool in tools})
        self._marks.move_to_end(gate.person)
        while len(self._marks) > MARKS_PEOPLE:
            self._marks.popitem(last=False)
        return tools

    async def _ask_first(self, gate: "_Gate", name: str, arguments: dict, ask: Emit) -> None:
        """Raises Refused unless the call may go on without asking, or the person has said yes."""
        if not self.valves.confirm_destructive:
            return
        known = self._marks.get(gate.person)
        if known is None or time.monotonic() - known[0] > MARKS_SECONDS or name not in known[1]:
            await self._all_tools(gate)
            known = self._marks[gate.person]
        if name not in known[1]:
            close = get_close_matches(name, known[1], 5, 0.5)
            hint = f" Did you mean {', '.join(close)}?" if close else " list_my_tools shows those that you have."
            raise Refused(f'There is no tool "{_plain(name, 80)}" that you may use.{hint}')
        if not _may_change_things(known[1][name], self.valves.confirm_unmarked):
            return
        if ask is None:
            raise Refused(f'"{name}" may change something, so it needs your yes; open the chat in a browser for that.')
        if await _agreed(ask, name, arguments):
            return
        raise Refused(f'"{name}" was not called: it needs your yes, and there was none.')


def _may_change_things(annotations: dict, ask_unmarked: bool) -> bool:
    """Hints of the server. Without any, MCP says: expect that it changes things."""
    if annotations.get("readOnlyHint") is True or annotations.get("destructiveHint") is False:
        return False
    return ask_unmarked or annotations.get("destructiveHint") is True


async def _agreed(ask: Callable[[dict], Awaitable[Any]], name: str, arguments: dict) -> bool:
    # The arguments were written by a model: no fence of theirs may end ours.
    shown = json.dumps(arguments, indent=2, ensure_ascii=False)[:1500].replace("`", "'")
    message = f"{_plain(name, 80)} may change or delete something. It gets:\n\n```json\n{shown}\n```"
    data = {"title": f"Let this chat use {_plain(name, 80)}?", "message": message}
    # Everything but a plain yes is a no: also the error that Open WebUI answers when the window has been closed.
    return await ask({"type": "confirmation", "data": data}) is True


class _Status:
    """Status lines above the answer. They are decoration: without a window, nothing is said."""

    def __init__(self, emit: Emit) -> None:
        self.emit = emit
        self.last = 0.0

    async def now(self, text: str, done: bool = False) -> None:
        if self.emit is None:
            return
        data = {"description": f"Toolgate: {_plain(text, 160)}", "done": done, "hidden": False}
        await self.emit({"type": "status", "data": data})

    async def end(self, text: str) -> None:
        await self.now(text, done=True)

    async def progress(self, params: dict) -> None:
        if time.monotonic() - self.last < 0.25:
            return
        self.last = time.monotonic()
        total = params.get("total")
        counted = f"{params.get('progress')}" + (f" of {total}" if total is not None else "")
        message = params.get("message")
        await self.now(f"{message} ({counted})" if message else f"working: {counted}")

    async def failed(self, error: Exception) -> str:
        text = _sentence(error)
        await self.end(text)
        return f"Error: {text}"


def _sentence(error: Exception) -> str:
    if isinstance(error, Refused):
        return str(error)
    if isinstance(error, (asyncio.TimeoutError, TimeoutError)):
        return "Toolgate did not answer in time. What was asked for may still be going on."
    if isinstance(error, aiohttp.ClientError):
        return "Toolgate cannot be reached, or ended its answer early. Try again; if it stays so, tell your administrator."
    log.error("The Toolgate tool failed: %s", type(error).__name__)
    return "Something went wrong between Open WebUI and Toolgate. Tell your administrator."


def _credentials(valves: Any, oauth: Optional[dict], request: Any) -> list[str]:
    """Tokens of the person who asks, best first."""
    access = oauth.get("access_token") if isinstance(oauth, dict) else None
    session = getattr(getattr(getattr(request, "state", None), "token", None), "credentials", None)
    chosen = {"oauth": [access], "session": [session], "auto": [access, session]}[valves.credential]
    found = [token for token in chosen if isinstance(token, str) and re.fullmatch(r"[\x21-\x7e]+", token)]
    if found:
        return found
    raise Refused(
        "Toolgate cannot tell who you are: this chat brought no access token of your single sign-on"
        + (" and no session of Open WebUI." if valves.credential == "auto" else ", or none of the kind that is asked for.")
        + " Sign in again; if it stays so, tell your administrator."
    )


class _Gate:
    """Toolgate as one person sees it."""

    def __init__(self, valves: Any, tokens: list[str], metadata: Optional[dict]) -> None:
        self.url = valves.gateway_url.rstrip("/") + "/" + valves.mcp_path.strip("/")
        if urlsplit(self.url).scheme not in ("http", "https") or not urlsplit(self.url).hostname:
            raise Refused("The address of Toolgate in the settings of this tool is not a URL; tell your administrator.")
        self.tokens = tokens
        self.timeout = aiohttp.ClientTimeout(total=valves.timeout_seconds, sock_connect=10)
        self.person = hashlib.sha256(f"{self.url} {tokens[0]}".encode()).hexdigest()
        ids = metadata if isinstance(metadata, dict) else {}
        self.origin = {
            header: value
            for header, value in (
                ("X-OpenWebUI-Chat-Id", ids.get("chat_id")),
                ("X-OpenWebUI-Message-Id", ids.get("message_id")),
            )
            if isinstance(value, str) and re.fullmatch(r"[\w:.-]{1,128}", value, re.ASCII)
        }

    async def request(self, method: str, params: dict, on_progress: Any = None) -> dict:
        """The result of one MCP request. Raises Refused with a sentence for everything that is not one."""
        async with aiohttp.ClientSession(timeout=self.timeout, trust_env=True) as session:
            for at, token in enumerate(self.tokens):
                try:
                    return await self._ask(session, token, _message(method, params, on_progress), on_progress)
                except NotSignedIn:
                    if at == len(self.tokens) - 1:
                        raise
        raise NotSignedIn("Toolgate does not know you.")

    async def _ask(self, session: Any, token: str, message: dict, on_progress: Any) -> dict:
        headers = {
            "Authorization": f"Bearer {token}",
            "Accept": "application/json, text/event-stream",
            "MCP-Protocol-Version": REVISION,
            "Mcp-Method": message["method"],
            **self.origin,
        }
        if "name" in message["params"]:
            headers["Mcp-Name"] = _header_value(message["params"]["name"])
        # A redirect would carry the token to an address that nobody set.
        async with session.post(self.url, json=message, headers=headers, ssl=TLS, allow_redirects=False) as response:
            if response.status == 401:
                raise NotSignedIn("Toolgate does not accept your sign-in. Sign in again; if it stays so, tell your administrator.")
            async for answer in _messages(response):
                if answer.get("method") == "notifications/progress" and on_progress:
                    await on_progress(answer.get("params") or {})
                elif "result" in answer and answer.get("id") == message["id"]:
                    return _complete(answer["result"])
                elif "error" in answer:
                    raise Refused(_plain((answer["error"] or {}).get("message") or "Toolgate refused this.", 500))
            raise Refused(f"Toolgate gave no answer (HTTP {response.status}). Try again; if it stays so, tell your administrator.")


def _message(method: str, params: dict, on_progress: Any) -> dict:
    meta = {
        f"{META}protocolVersion": REVISION,
        f"{META}clientCapabilities": {},
        f"{META}clientInfo": {"name": "open-webui-toolgate-tool", "version": "1.0.0"},
        **({"progressToken": 1} if on_progress else {}),
    }
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": {**params, "_meta": meta}}


def _complete(result: Any) -> dict:
    if not isinstance(result, dict):
        raise Refused("Toolgate gave an answer that this tool does not understand.")
    if result.get("resultType", "complete") == "complete":
        return result
    raise Refused("The tool wants to ask something first, which cannot be done from here. Use it in another MCP client.")


async def _messages(response: Any) -> AsyncIterator[dict]:
    """JSON-RPC messages of an answer: one of a JSON body, or each of an event stream as it comes."""
    stream = response.headers.get("Content-Type", "").startswith("text/event-stream")
    buffer = b""
    size = 0
    async for chunk in response.content.iter_any():
        size += len(chunk)
        if size > MAX_RESPONSE_BYTES:
            raise Refused("The answer is larger than this tool takes. Ask for less.")
        buffer += chunk
        if not stream:
            continue
        *events, buffer = buffer.replace(b"\r\n", b"\n").split(b"\n\n")
        for event in events:
            data = b"\n".join(line[5:].strip() for line in event.split(b"\n") if line.startswith(b"data:"))
            if data:
                yield _parsed(data)
    if not stream and buffer.strip():
        yield _parsed(buffer)


def _parsed(data: bytes) -> dict:
    try:
        value = json.loads(data)
    except ValueError:
        value = None
    return value if isinstance(value, dict) else {}


def _header_value(text: str) -> str:
    """As the protocol writes values that a header cannot hold."""
    if re.fullmatch(r"[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?", text) and not text.startswith("=?"):
        return text
    return f"=?base64?{base64.b64encode(text.encode()).decode()}?="


def _arguments(given: Any) -> dict:
    try:
        value = json.loads(given or "{}") if isinstance(given, str) else given
    except ValueError:
        value = None
    if isinstance(value, dict):
        return value
    raise Refused('arguments_json is not a JSON object; write for example {"path": "notes.txt"}.')


def _matching(tools: list[dict], query: str) -> list[dict]:
    """Tools that hold all words come first, then those that hold some; with none it is all of them."""
    words = [word for word in re.split(r"[\W_]+", query.lower()) if word]

    def hits(tool: dict) -> int:
        text = f"{tool['name']} {tool.get('title', '')} {tool.get('description', '')}".lower()
        return sum(word in text for word in words)

    return sorted((tool for tool in tools if not words or hits(tool)), key=hits, reverse=True) if words else tools


def _catalogue(tools: list[dict], query: str, limit: int) -> str:
    if not tools:
        what = f' that match "{_plain(query, 80)}"' if query else ""
        return f"The user has no tools{what}." + (" Try other words, or none." if query else " An administrator can grant some.")
    whole = len(tools) <= SHOWN_WITH_SCHEMA
    shown = [
        {
            "name": tool["name"],
            "description": _plain(tool.get("description") or tool.get("title") or "", 1000 if whole else 160),
            **({"parameters": tool.get("inputSchema")} if whole else {}),
        }
        for tool in tools[:SHOWN]
    ]
    left = len(tools) - len(shown)
    note = f" {left} more are not shown." if left else ""
    more = "" if whole else f"{len(tools)} tools.{note} Give a query of a few words to see parameters.\n"
    return _cut(more + "\n".join(json.dumps(tool, ensure_ascii=False) for tool in shown), limit)


def _text_of(result: dict, limit: int) -> str:
    parts = [_part(item) for item in result.get("content") or [] if isinstance(item, dict)]
    text = "\n".join(part for part in parts if part)
    if not text and result.get("structuredContent") is not None:
        text = json.dumps(result["structuredContent"], ensure_ascii=False)
    if result.get("isError") is True:
        return f"Error: {_cut(text or 'The tool failed and said no more.', limit)}"
    return _cut(text or "Done. The tool returned nothing.", limit)


def _part(item: dict) -> str:
    kind = item.get("type")
    if kind == "text":
        return str(item.get("text", ""))
    if kind == "resource":
        resource = item.get("resource") or {}
        return str(resource.get("text") or f"[{resource.get('mimeType', 'data')} at {resource.get('uri', '?')}]")
    if kind == "resource_link":
        return f"{item.get('name', 'resource')}: {item.get('uri', '')}"
    return "[image shown to the user]" if _is_picture(item) else f"[{kind}]"


async def _show_images(result: dict, emit: Emit) -> None:
    items = [item for item in result.get("content") or [] if isinstance(item, dict)]
    files = [{"type": "image", "url": f"data:{item['mimeType']};base64,{item['data']}"} for item in items if _is_picture(item)]
    if files and emit is not None:
        await emit({"type": "files", "data": {"files": files}})


def _is_picture(item: dict) -> bool:
    """One that a browser shows without running anything in it."""
    kind, data = str(item.get("mimeType")), item.get("data")
    known = re.fullmatch(r"image/(png|jpeg|gif|webp)", kind) is not None
    return item.get("type") == "image" and known and isinstance(data, str) and len(data) < MAX_IMAGE_CHARS


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[:limit]}\n[Cut here: {len(text) - limit} more characters. Ask for less.]"


def _plain(text: Any, limit: int) -> str:
    """One line without control characters: it comes from a server or a model."""
    line = re.sub(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]+", " ", str(text)).strip()
    return line if len(line) <= limit else f"{line[: limit - 1]}…"
