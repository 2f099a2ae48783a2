import { AppError } from '../platform/errors.ts';

/** Largest request body, in bytes. */
export const maxBodyBytes = 1024 * 1024;

export const adminErrors = {
  notAnAdmin: () =>
    new AppError('not_an_admin', 403, 'This needs an admin: a member of an admin group, or the admin token.'),
  notFound: () => new AppError('not_found', 404, 'There is nothing at this address.'),
  methodNotAllowed: (methods: readonly string[]) =>
    new AppError('method_not_allowed', 405, `This address takes ${methods.join(', ')}.`, {
      headers: { Allow: methods.join(', ') },
    }),
  bodyTooLarge: () => new AppError('body_too_large', 413, `The body is larger than ${maxBodyBytes} bytes.`),
  notJson: () =>
    new AppError(
      'unsupported_media_type',
      415,
      'Send the body as JSON, with Content-Type: application/json.',
    ),
  brokenJson: () => new AppError('invalid_json', 400, 'The body is not valid JSON.'),
};

/** A request whose values are wrong; `details` tells a form which ones. */
export class InvalidRequest extends AppError {
  readonly details: { path: string; message: string }[];

  constructor(details: { path: string; message: string }[]) {
    const text = details.map(({ path, message }) => `${path}: ${message}`).join('; ');
    super('invalid_request', 400, text.endsWith('?') ? text : `${text}.`);
    this.details = details;
  }
}
