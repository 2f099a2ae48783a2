import { globSync } from 'node:fs';
import { expect, test } from 'vitest';
import { z } from 'zod';
import type { Endpoint, Route } from '../platform/contract.ts';
import { openApiDocument } from './openapi.ts';

interface Contract {
  readonly api?: Readonly<Record<string, Endpoint>>;
}

/** Of every feature, so that none can be forgotten. */
const contracts: Contract[] = await Promise.all(
  globSync('../*/contract.ts', { cwd: import.meta.dirname }).map((file) => import(file)),
);
const routes: Route[] = contracts
  .flatMap(({ api = {} }) => Object.values(api))
  .map((endpoint) => ({ endpoint, handle: async () => undefined }));
const about = { version: '1.2.3', publicUrl: 'https://gate.acme.com', basePath: '/mcp-admin/api' };
const document = JSON.parse(JSON.stringify(openApiDocument(routes, about)));

const schema = z.looseObject({});
const content = z.strictObject({ 'application/json': z.strictObject({ schema }) });
const response = z.union([
  z.strictObject({ $ref: z.string() }),
  z.strictObject({ description: z.string().min(1), content: content.optional() }),
]);
const operation = z.strictObject({
  operationId: z.string().regex(/^\w[\w-]*$/),
  tags: z.array(z.string()).min(1),
  summary: z.string().min(1),
  parameters: z.array(
    z.strictObject({ name: z.string(), in: z.enum(['path', 'query']), required: z.boolean(), schema }),
  ),
  requestBody: z.strictObject({ required: z.boolean(), content }).optional(),
  responses: z.record(z.string().regex(/^(20[014]|default)$/), response),
});
const wellFormed = z.strictObject({
  openapi: z.literal('3.1.0'),
  info: z.strictObject({ title: z.string(), version: z.literal('1.2.3') }),
  servers: z.tuple([z.strictObject({ url: z.literal('https://gate.acme.com/mcp-admin/api') })]),
  security: z.tuple([z.strictObject({ bearer: z.array(z.never()) })]),
  tags: z.array(z.strictObject({ name: z.string() })),
  paths: z.record(
    z.string().startsWith('/'),
    z.partialRecord(z.enum(['get', 'post', 'put', 'patch', 'delete']), operation),
  ),
  components: z.strictObject({
    securitySchemes: schema,
    schemas: schema,
    responses: z.record(z.string(), response),
  }),
});

test('every feature that has endpoints is there', () => {
  const paths = [
    '/users',
    '/servers/{id}/tools',
    '/openapi-links',
    '/pins',
    '/audit',
    '/tokens',
    '/config/apply',
  ];
  expect(Object.keys(document.paths)).toEqual(expect.arrayContaining(paths));
});

test('the document of all routes is well-formed OpenAPI 3.1', () => {
  expect(wellFormed.safeParse(document).error?.issues).toBeUndefined();
});

test('operation ids are unique, path parameters declared and required, references resolve', () => {
  const paths: [string, Record<string, z.infer<typeof operation>>][] = Object.entries(document.paths);
  const operations = paths.flatMap(([path, methods]) =>
    Object.values(methods).map((entry) => ({ path, ...entry })),
  );
  expect(operations).toHaveLength(routes.length);
  expect(new Set(operations.map(({ operationId }) => operationId)).size).toBe(operations.length);
  for (const { path, parameters } of operations) {
    const declared = parameters
      .filter((parameter) => parameter.in === 'path' && parameter.required)
      .map(({ name }) => name);
    expect(declared).toEqual([...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name));
  }
  for (const [, target = ''] of JSON.stringify(document).matchAll(/"\$ref":"#\/([^"]+)"/g)) {
    expect(target.split('/').reduce((node, key) => node?.[key], document)).toBeDefined();
  }
});

test('a query parameter with a default is optional, and bodies say whether they may be left out', () => {
  const get = document.paths['/users'].get;
  expect(get.parameters.find(({ name }: { name: string }) => name === 'limit')).toMatchObject({
    in: 'query',
    required: false,
  });
  expect(
    document.paths['/explain'].get.parameters.map(
      ({ name, required }: { name: string; required: boolean }) => [name, required],
    ),
  ).toEqual([
    ['user', true],
    ['server', true],
    ['tool', false],
    ['tenant', false],
  ]);
  expect(document.paths['/users'].post.requestBody.required).toBe(true);
  expect(document.paths['/groups/{name}/servers/{server}'].put.requestBody.required).toBe(false);
});
