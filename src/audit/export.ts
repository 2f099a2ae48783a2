// Records as a stream of text: as many as there are, and a page of them in memory.
import type { Db } from '../platform/db/index.ts';
import type { AuditFilter, CallFilter } from './conditions-store.ts';
import { auditAfter, callsAfter, type CallPlace, type ExportRow } from './export-store.ts';

type Format = 'jsonl' | 'csv';

const atOnce = 500;

const auditColumns = [
  ...[
    'id',
    'timestamp',
    'actor',
    'action',
    'targetKind',
    'targetId',
    'tenant',
    'before',
    'after',
    'requestId',
  ],
  ...['clientIp', 'seq', 'hash'],
];
const callColumns = [
  ...[
    'id',
    'timestamp',
    'requestId',
    'user',
    'authSource',
    'tenant',
    'face',
    'method',
    'endpoint',
    'rpcMethod',
  ],
  ...[
    'server',
    'tool',
    'outcome',
    'reason',
    'statusCode',
    'responseTimeMs',
    'bytesIn',
    'bytesOut',
    'userAgent',
  ],
  ...['clientIp', 'credentialId', 'arguments'],
];

export function exportAudit(db: Db, format: Format, query: AuditFilter): Response {
  const rows = flattened(auditRows(db, query), format);
  return download('audit', format, textOf(rows, format, auditColumns));
}

export function exportCalls(db: Db, format: Format, query: CallFilter): Response {
  return download('analytics', format, textOf(callRows(db, query), format, callColumns));
}

export async function* auditRows(db: Db, query: AuditFilter): AsyncGenerator<ExportRow> {
  for (let after = 0; ; ) {
    const rows = await auditAfter(db, { ...query, limit: atOnce }, after);
    yield* rows;
    const last = rows.at(-1);
    if (last === undefined || rows.length < atOnce) return;
    after = last.chain.seq;
  }
}

export async function* callRows(db: Db, query: CallFilter): AsyncGenerator<ExportRow> {
  for (let after: CallPlace | null = null; ; ) {
    const rows: (ExportRow & CallPlace)[] = await callsAfter(db, { ...query, limit: atOnce }, after);
    yield* rows;
    const last = rows.at(-1);
    if (last === undefined || rows.length < atOnce) return;
    after = last;
  }
}

/** A download of text as it is made. */
export function download(name: string, format: Format | 'json', text: AsyncGenerator<string>): Response {
  const encoder = new TextEncoder();
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      const { done, value } = await text.next();
      if (done) controller.close();
      else controller.enqueue(encoder.encode(value));
    },
    cancel: async () => void (await text.return(undefined)),
  });
  const headers = {
    'content-type': contentTypes[format],
    'content-disposition': `attachment; filename="toolgate-${name}.${format}"`,
  };
  return new Response(body, { headers });
}

const contentTypes = {
  jsonl: 'application/jsonl; charset=utf-8',
  csv: 'text/csv; charset=utf-8; header=present',
  json: 'application/json; charset=utf-8',
};

async function* flattened(rows: AsyncGenerator<ExportRow>, format: Format): AsyncGenerator<ExportRow> {
  if (format === 'jsonl') return yield* rows;
  for await (const { chain, ...row } of rows) yield { ...Object(chain), ...row };
}

/** Lines in pieces that are worth sending. */
async function* textOf(
  rows: AsyncGenerator<ExportRow>,
  format: Format,
  columns: readonly string[],
): AsyncGenerator<string> {
  let piece = format === 'csv' ? csvLine(columns) : '';
  for await (const row of rows) {
    piece += format === 'csv' ? csvLine(columns.map((column) => row[column])) : `${JSON.stringify(row)}\n`;
    if (piece.length < 32_768) continue;
    yield piece;
    piece = '';
  }
  if (piece !== '') yield piece;
}

/** RFC 4180. */
function csvLine(cells: readonly unknown[]): string {
  return `${cells.map(csvCell).join(',')}\r\n`;
}

// Blanks, quotes and what cannot be seen: spreadsheets leave them out at the beginning of a cell.
const skipped = String.raw`[    -     　"\p{Cf}]`;
/** Fullwidth signs are taken for the usual ones where Japanese or Chinese is written. */
const formula = new RegExp(
  String.raw`(^|[;	
])(?=${skipped}*[=+\-@|%＋－％＝＠｜−])`,
  'gu',
);

/**
 * What begins like a formula would be one to a spreadsheet, and could send the other cells away: an apostrophe stands
 * before it. A cell begins also where other programs and countries separate cells: they look for no quotes of ours.
 * https://owasp.org/www-community/attacks/CSV_Injection
 */
export function csvCell(value: unknown): string {
  if (value === null || value === undefined) return '';
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  const harmless = text.replace(/^(?=[\t\r])/, "'").replace(formula, "$1'");
  return /[",;\t\r\n']/.test(harmless) ? `"${harmless.replaceAll('"', '""')}"` : harmless;
}
