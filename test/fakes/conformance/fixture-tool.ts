import type { CallToolResult, InputRequiredResult, ServerContext } from '@modelcontextprotocol/server';

type Answer = CallToolResult | InputRequiredResult;

export interface FixtureTool {
  readonly description: string;
  /** JSON Schema, sent as it stands. Left out: the tool takes no arguments and checks none. */
  readonly inputSchema?: Record<string, unknown>;
  readonly call: (args: Record<string, unknown>, ctx: ServerContext) => Answer | Promise<Answer>;
}
