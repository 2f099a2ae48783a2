"""Tests of toolgate_tools.py against a gate that a test writes down. The live suite runs them with Open WebUI's Python:
`python test_toolgate_tools.py`."""

import asyncio
import json
import os
import sys
import unittest
from types import SimpleNamespace

from aiohttp import web

sys.dont_write_bytecode = True
# Open WebUI's settings, which the Tool file looks at, ask for one.
os.environ.setdefault("WEBUI_SECRET_KEY", "only for tests")
from toolgate_tools import Tools  # noqa: E402

READ = {"name": "files__read", "description": "Reads a file", "annotations": {"readOnlyHint": True}, "inputSchema": {"type": "object"}}
DROP = {"name": "files__drop", "description": "Deletes\na file", "annotations": {"destructiveHint": True}, "inputSchema": {}}
ODD = {"name": "files__odd", "description": "Says nothing about itself", "inputSchema": {}}


def session(token):
    return SimpleNamespace(state=SimpleNamespace(token=SimpleNamespace(credentials=token)))


class Gate:
    """Answers requests as `answers` says, by method; remembers what came."""

    def __init__(self):
        self.seen = []
        self.tokens = {"session", "access"}
        self.tools = [READ, DROP, ODD]
        self.answers = {}

    async def start(self):
        app = web.Application(client_max_size=2**26)
        app.router.add_post("/mcp", self.serve)
        self.runner = web.AppRunner(app)
        await self.runner.setup()
        site = web.TCPSite(self.runner, "127.0.0.1", 0)
        await site.start()
        return f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}"

    async def serve(self, request):
        message = await request.json()
        self.seen.append((message, dict(request.headers)))
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if token not in self.tokens:
            return web.json_response({"error": {"message": "no"}}, status=401)
        answer = self.answers.get(message["method"])
        if callable(answer):
            return await answer(request, message)
        result = {"tools": self.tools} if message["method"] == "tools/list" else answer
        return web.json_response({"jsonrpc": "2.0", "id": message["id"], "result": result})

    def calls(self):
        return [message["params"] for message, _ in self.seen if message["method"] == "tools/call"]


class ToolFile(unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self):
        self.gate = Gate()
        self.tools = Tools()
        self.tools.valves = Tools.Valves(gateway_url=await self.gate.start())
        self.gate.answers["tools/call"] = {"content": [{"type": "text", "text": "hello"}]}
        self.events = []
        self.asked = []
        self.answer = True

    async def asyncTearDown(self):
        await self.gate.runner.cleanup()

    async def emit(self, event):
        self.events.append(event)

    async def ask(self, event):
        self.asked.append(event)
        return self.answer

    def statuses(self):
        return [event["data"] for event in self.events if event["type"] == "status"]

    async def call(self, name="files__read", arguments="{}", **more):
        given = {"__request__": session("session"), "__event_emitter__": self.emit, "__event_call__": self.ask, **more}
        return await self.tools.call_tool(name, arguments, **given)

    async def test_a_call_goes_out_as_one_modern_request_and_comes_back_as_text(self):
        metadata = {"chat_id": "chat-1", "message_id": "msg-1"}
        self.assertEqual(await self.call(arguments='{"path": "a"}', __metadata__=metadata), "hello")
        message, headers = self.gate.seen[-1]
        self.assertEqual(message["params"]["arguments"], {"path": "a"})
        self.assertEqual(message["params"]["_meta"]["io.modelcontextprotocol/protocolVersion"], headers["MCP-Protocol-Version"])
        self.assertEqual((headers["Mcp-Method"], headers["Mcp-Name"]), ("tools/call", "files__read"))
        self.assertEqual((headers["X-OpenWebUI-Chat-Id"], headers["X-OpenWebUI-Message-Id"]), ("chat-1", "msg-1"))
        self.assertEqual([status["done"] for status in self.statuses()], [False, True])

    async def test_the_access_token_of_single_sign_on_comes_first_and_the_session_second(self):
        oauth = {"access_token": "access"}
        await self.call(__oauth_token__=oauth)
        self.assertEqual({headers["Authorization"] for _, headers in self.gate.seen}, {"Bearer access"})
        self.gate.tokens.remove("access")
        self.assertEqual(await self.call(__oauth_token__=oauth), "hello")
        self.assertEqual(self.gate.seen[-1][1]["Authorization"], "Bearer session")

    async def test_settings_choose_which_of_the_two_is_sent_at_all(self):
        self.tools.valves.credential = "session"
        await self.call(__oauth_token__={"access_token": "access"})
        self.assertEqual({headers["Authorization"] for _, headers in self.gate.seen}, {"Bearer session"})
        self.tools.valves.credential = "oauth"
        self.assertRegex(await self.call(), "^Error: Toolgate cannot tell who you are")

    async def test_without_any_credential_nothing_is_sent(self):
        for request in (None, SimpleNamespace(), session(None), session("two words")):
            self.assertRegex(await self.call(__request__=request), "^Error: Toolgate cannot tell who you are")
        self.assertEqual(self.gate.seen, [])

    async def test_no_answer_holds_a_token(self):
        self.gate.tokens.clear()
        text = await self.call(__oauth_token__={"access_token": "access-secret"}, __request__=session("session-secret"))
        self.assertRegex(text, "^Error: Toolgate does not accept your sign-in")
        self.assertNotIn("secret", text + json.dumps(self.events))

    async def test_a_tool_that_only_reads_is_not_asked_about_and_one_that_deletes_is(self):
        await self.call("files__read")
        self.assertEqual(self.asked, [])
        await self.call("files__drop", '{"path": "``` # x"}')
        self.assertEqual(self.asked[0]["type"], "confirmation")
        self.assertEqual(self.asked[0]["data"]["message"].count("```"), 2)

    async def test_only_a_plain_yes_is_a_yes(self):
        for self.answer in (False, None, {"error": "Client session disconnected."}, "true", 1, {"value": True}):
            self.assertRegex(await self.call("files__drop"), "was not called: it needs your yes")
        self.assertRegex(await self.call("files__drop", __event_call__=None), "open the chat in a browser")
        self.assertEqual(self.gate.calls(), [])

    async def test_settings_say_whether_silent_tools_or_any_are_asked_about(self):
        await self.call("files__odd")
        self.tools.valves.confirm_unmarked = False
        await self.call("files__odd")
        self.assertEqual(len(self.asked), 1)
        self.tools.valves.confirm_destructive = False
        await self.call("files__drop")
        self.assertEqual(len(self.asked), 1)
        self.assertEqual(len(self.gate.calls()), 3)

    async def test_what_must_be_asked_about_is_kept_for_each_person_and_not_for_ever(self):
        await self.call("files__read")
        await self.call("files__read")
        listed = [message for message, _ in self.gate.seen if message["method"] == "tools/list"]
        self.assertEqual(len(listed), 1)
        self.gate.tokens.add("bob")
        self.gate.tools = [DROP]
        self.assertRegex(await self.call("files__read", __request__=session("bob")), 'There is no tool "files__read"')
        self.assertEqual(await self.call("files__read"), "hello")

    async def test_an_unknown_name_is_answered_with_close_ones_of_the_person(self):
        self.assertEqual(
            await self.call("file_read"),
            'Error: There is no tool "file_read" that you may use. Did you mean files__read, files__odd, files__drop?',
        )

    async def test_progress_becomes_status_lines(self):
        async def stream(request, message):
            response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
            await response.prepare(request)
            token = message["params"]["_meta"]["progressToken"]
            params = {"progressToken": token, "progress": 1, "total": 2, "message": "half\u202e\nway"}
            note = json.dumps({"jsonrpc": "2.0", "method": "notifications/progress", "params": params})
            result = json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": {"content": [{"type": "text", "text": "ü"}]}})
            whole = f": hello\n\ndata: {note}\n\nevent: message\ndata: {result}\n\n".encode()
            for at in range(0, len(whole), 7):
                await response.write(whole[at : at + 7])
            return response

        self.gate.answers["tools/call"] = stream
        self.assertEqual(await self.call(), "ü")
        self.assertIn("Toolgate: half way (1 of 2)", [status["description"] for status in self.statuses()])

    async def test_errors_are_sentences(self):
        async def error(request, message):
            return web.json_response({"jsonrpc": "2.0", "id": message["id"], "error": {"code": -1, "message": "Not\nnow"}}, status=400)

        async def page(request, message):
            return web.Response(text="<html>Bad gateway</html>", status=502, content_type="text/html")

        async def elsewhere(request, message):
            return web.Response(status=307, headers={"Location": "http://127.0.0.1:1/"})

        async def cut(request, message):
            request.transport.abort()
            return web.Response()

        async def slow(request, message):
            await asyncio.sleep(5)
            return web.Response()

        self.tools.valves.timeout_seconds = 1
        for answer, text in (
            (error, "^Error: Not now$"),
            (page, r"^Error: Toolgate gave no answer \(HTTP 502\)"),
            (elsewhere, r"^Error: Toolgate gave no answer \(HTTP 307\)"),
            (cut, "^Error: Toolgate cannot be reached, or ended its answer early"),
            (slow, "^Error: Toolgate did not answer in time"),
            ({"resultType": "input_required", "requestState": "x"}, "^Error: The tool wants to ask something first"),
            ({"content": [{"type": "text", "text": "No such file"}], "isError": True}, "^Error: No such file$"),
            ("nonsense", "^Error: Toolgate gave an answer that this tool does not understand"),
        ):
            self.gate.answers["tools/call"] = answer
            self.assertRegex(await self.call(), text)
            self.assertTrue(self.statuses()[-1]["done"])

    async def test_a_failure_of_the_program_itself_tells_nothing_of_it(self):
        async def broken(event):
            raise RuntimeError("secret inside")

        with self.assertLogs("toolgate_tools", "ERROR") as logs:
            text = await self.tools.call_tool("files__drop", "{}", __request__=session("session"), __event_call__=broken)
        self.assertRegex(text, "^Error: Something went wrong")
        self.assertNotIn("secret", text + str(logs.output))

    async def test_arguments_must_be_an_object(self):
        for wrong in ("[1]", "{", '"x"', None and "", 7):
            self.assertRegex(await self.call(arguments=wrong), "^Error: arguments_json is not a JSON object")
        self.assertEqual(await self.call(arguments={"path": "a"}), "hello")
        self.assertEqual(await self.call(arguments=""), "hello")

    async def test_long_results_are_cut_and_too_long_ones_are_not_read(self):
        self.tools.valves.max_result_chars = 500
        self.gate.answers["tools/call"] = {"content": [{"type": "text", "text": "a" * 700}]}
        self.assertRegex(await self.call(), r"^a{500}\n\[Cut here: 200 more characters")
        self.gate.answers["tools/call"] = {"content": [{"type": "text", "text": "a" * 17 * 1024 * 1024}]}
        self.assertRegex(await self.call(), "^Error: The answer is larger than this tool takes")

    async def test_every_kind_of_content_is_told(self):
        self.gate.answers["tools/call"] = {
            "content": [
                {"type": "text", "text": "see"},
                {"type": "image", "mimeType": "image/png", "data": "AAAA"},
                {"type": "image", "mimeType": "image/svg+xml", "data": "AAAA"},
                {"type": "resource", "resource": {"uri": "a://b", "text": "inside"}},
                {"type": "resource", "resource": {"uri": "a://c", "mimeType": "application/pdf", "blob": "AA"}},
                {"type": "resource_link", "name": "more", "uri": "a://d"},
            ]
        }
        text = await self.call()
        self.assertEqual(
            text.split("\n"),
            ["see", "[image shown to the user]", "[image]", "inside", "[application/pdf at a://c]", "more: a://d"],
        )
        files = [event["data"]["files"] for event in self.events if event["type"] == "files"]
        self.assertEqual(files, [[{"type": "image", "url": "data:image/png;base64,AAAA"}]])
        self.gate.answers["tools/call"] = {"content": [], "structuredContent": {"n": 1}}
        self.assertEqual(await self.call(), '{"n": 1}')

    async def test_the_list_is_searched_and_paged(self):
        async def pages(request, message):
            at = int(message["params"].get("cursor", 0))
            tools = [{"name": f"s__tool_{at * 50 + n}", "description": "one", "inputSchema": {}} for n in range(50)]
            result = {"tools": tools, **({"nextCursor": str(at + 1)} if at < 2 else {})}
            return web.json_response({"jsonrpc": "2.0", "id": message["id"], "result": result})

        listed = await self.tools.list_my_tools(__request__=session("session"))
        self.assertEqual([json.loads(line)["name"] for line in listed.split("\n")], ["files__read", "files__drop", "files__odd"])
        found = await self.tools.list_my_tools("deletes", __request__=session("session"))
        self.assertEqual(json.loads(found)["description"], "Deletes a file")
        nothing = await self.tools.list_my_tools("zebra", __request__=session("session"))
        self.assertEqual(nothing, 'The user has no tools that match "zebra". Try other words, or none.')
        self.gate.answers["tools/list"] = pages
        many = await self.tools.list_my_tools(__request__=session("session"))
        self.assertRegex(many, "^150 tools. 90 more are not shown.")
        self.assertIn("s__tool_59", many)

    async def test_names_that_a_header_cannot_hold_are_encoded(self):
        self.gate.tools = [{**READ, "name": "größe"}]
        self.assertEqual(await self.call("größe"), "hello")
        self.assertEqual(self.gate.seen[-1][1]["Mcp-Name"], "=?base64?Z3LDtsOfZQ==?=")


if __name__ == "__main__":
    unittest.main()
