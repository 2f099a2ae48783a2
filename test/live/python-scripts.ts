// What each Python client is made to do, as its text: the repository keeps no Python but the Tool file of Open WebUI.
// Every script reads a Plan as JSON from standard input and prints a Report as JSON.

export interface Plan {
  readonly url: string;
  readonly token: string;
  readonly calls: readonly (readonly [name: string, args: Readonly<Record<string, unknown>>])[];
  /** Of clients that speak both eras. */
  readonly mode?: string;
}

export interface Report {
  /** Protocol revision that was agreed on. */
  readonly protocol: string;
  readonly tools: readonly string[];
  /** In the order of the calls. */
  readonly results: readonly { readonly text: string; readonly isError: boolean }[];
  readonly progress: readonly (readonly [progress: number, total: number | null, message: string | null])[];
}

const common = `
import asyncio, json, sys

plan = json.load(sys.stdin)
progress = []
results = []

async def on_progress(done, total, message):
    progress.append([done, total, message])

def keep(content, is_error):
    text = "".join(getattr(block, "text", "") for block in content)
    results.append({"text": text, "isError": bool(is_error)})

def report(protocol, tools):
    print(json.dumps({"protocol": protocol, "tools": tools, "results": results, "progress": progress}))

answers = {"username": "py", "email": "py@acme.com"}
`;

/** The 1.x SDK: Open WebUI up to 0.11, and most of what is written today. */
export const sdk1 = `${common}
from datetime import timedelta
from mcp import ClientSession, types
from mcp.client.streamable_http import streamablehttp_client

async def elicit(context, params):
    return types.ElicitResult(action="accept", content=answers)

async def sample(context, params):
    return types.CreateMessageResult(role="assistant", model="m", content=types.TextContent(type="text", text="sampled"))

async def main():
    headers = {"Authorization": "Bearer " + plan["token"]}
    async with streamablehttp_client(plan["url"], headers=headers) as (read, write, _):
        async with ClientSession(read, write, elicitation_callback=elicit, sampling_callback=sample) as session:
            opened = await session.initialize()
            tools = [tool.name for tool in (await session.list_tools()).tools]
            for name, args in plan["calls"]:
                # Without a limit of its own this client would wait for minutes: a hang must be a failure.
                limit = timedelta(seconds=20)
                result = await session.call_tool(name, args, read_timeout_seconds=limit, progress_callback=on_progress)
                keep(result.content, result.isError)
            report(opened.protocolVersion, tools)

asyncio.run(main())
`;

/** The 2.x SDK, in either era: Open WebUI from 0.12. */
export const sdk2 = `${common}
import httpx2
from mcp import Client, types
from mcp.client.streamable_http import streamable_http_client

async def elicit(context, params):
    return types.ElicitResult(action="accept", content=answers)

async def sample(context, params):
    return types.CreateMessageResult(role="assistant", model="m", content=types.TextContent(type="text", text="sampled"))

async def main():
    headers = {"Authorization": "Bearer " + plan["token"]}
    async with httpx2.AsyncClient(headers=headers, timeout=30) as http:
        transport = streamable_http_client(plan["url"], http_client=http)
        asked = {"elicitation_callback": elicit, "sampling_callback": sample}
        async with Client(transport, mode=plan["mode"], **asked) as client:
            tools = [tool.name for tool in (await client.list_tools()).tools]
            for name, args in plan["calls"]:
                result = await client.call_tool(name, args, read_timeout_seconds=20, progress_callback=on_progress)
                keep(result.content, result.is_error)
            report(client.protocol_version, tools)

asyncio.run(main())
`;

export const fastMcp = `${common}
from fastmcp import Client

async def elicit(message, response_type, params, context):
    return answers

async def sample(messages, params, context):
    return "sampled"

async def main():
    handlers = {"elicitation_handler": elicit, "sampling_handler": sample, "progress_handler": on_progress}
    async with Client(plan["url"], auth=plan["token"], mode=plan["mode"], timeout=20, **handlers) as client:
        tools = [tool.name for tool in await client.list_tools()]
        for name, args in plan["calls"]:
            result = await client.call_tool(name, args, raise_on_error=False)
            keep(result.content, result.is_error)
        report(str(client.protocol_version if hasattr(client, "protocol_version") else ""), tools)

asyncio.run(main())
`;
