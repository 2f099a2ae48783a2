import type { IncomingMessage } from 'node:http';
import { AppError } from '../../platform/errors.ts';
import { isFromOwnPage, readForm } from '../../platform/http/form.ts';
import { html, type Markup } from '../../platform/html/html.ts';
import type { Sealer } from '../../platform/sealer.ts';

/** Forms that only count when they come from a page that was shown to this very browser (CSRF). */
export interface Forms {
  /** The hidden field of a form that is shown to `who`: a session, or a browser before it has one. */
  field(who: string): Markup;
  /**
   * The fields of a form that `who` sent. Rejects with `form_foreign` (403) when another page sent it, and with
   * `form_stale` (403) when it was shown to somebody else or in another session.
   */
  read(req: IncomingMessage, who: string): Promise<URLSearchParams>;
}

const name = 'form_token';
const longest = 500;

export function createForms(o: { sealer: Sealer; publicUrl: string }): Forms {
  return {
    field: (who) => html`<input type="hidden" name="${name}" value="${o.sealer.seal(who)}">`,
    async read(req, who) {
      if (!isFromOwnPage(req, o.publicUrl)) {
        req.resume();
        throw new AppError(
          'form_foreign',
          403,
          'This was not sent by a page of this site; open the page here and try again.',
        );
      }
      const fields = await readForm(req);
      const token = fields.get(name) ?? '';
      if (token.length > longest || o.sealer.open(token) !== who)
        throw new AppError(
          'form_stale',
          403,
          'This page was opened by somebody else or is too old; open it again.',
        );
      return fields;
    },
  };
}
