import { expect, test } from 'vitest';
import { isResource, parsePath, parseSsePath, parseToolsPath } from './paths.ts';

test.each([
  { path: '/mcp', tenant: null, group: null, server: null, template: '/mcp' },
  { path: '/mcp/', tenant: null, group: null, server: null, template: '/mcp' },
  { path: '/mcp/github', tenant: null, group: null, server: 'github', template: '/mcp/{server}' },
  { path: '/t/acme/mcp', tenant: 'acme', group: null, server: null, template: '/t/{tenant}/mcp' },
  {
    path: '/g/%2Fdept%2Fdev/mcp/a',
    tenant: null,
    group: '/dept/dev',
    server: 'a',
    template: '/g/{group}/mcp/{server}',
  },
  {
    path: '/t/acme/g/x%20y/mcp/a',
    tenant: 'acme',
    group: 'x y',
    server: 'a',
    template: '/t/{tenant}/g/{group}/mcp/{server}',
  },
  { path: '/g/%zz/mcp', tenant: null, group: '%zz', server: null, template: '/g/{group}/mcp' },
])('$path is an MCP URL', ({ path, tenant, group, server, template }) => {
  expect(parsePath(path)).toEqual({ tenant, group, server, template, raw: path });
  expect(parseSsePath(path)).toBeUndefined();
  const sse = path.replace('/mcp', '/sse');
  expect(parseSsePath(sse)).toMatchObject({
    tenant,
    group,
    server,
    template: template.replace('/mcp', '/sse'),
  });
  expect(parsePath(sse)).toBeUndefined();
  expect([isResource(path), isResource(sse)]).toEqual([true, true]);
});

test.each([
  '/',
  '/mcpx',
  '/mcp/a/b',
  '/g/mcp',
  '/g/x/t/y/mcp',
  '/t//mcp',
  '/tools',
  '/tools/',
  '/tools/zoo',
  '/tools/zoo/',
  '/toolsx/a/b',
  '/g/x/t/y/tools/docs',
])('%s is none of ours', (path) => {
  expect([parsePath(path), parseSsePath(path), parseToolsPath(path, 'GET')]).toEqual([
    undefined,
    undefined,
    undefined,
  ]);
});

test.each([
  {
    path: '/tools/openapi.json',
    method: 'GET',
    server: null,
    target: { kind: 'document' },
    template: '/tools/openapi.json',
  },
  { path: '/tools/docs', method: 'GET', server: null, target: { kind: 'docs' }, template: '/tools/docs' },
  {
    path: '/tools/zoo/openapi.json',
    method: 'GET',
    server: 'zoo',
    target: { kind: 'document' },
    template: '/tools/{server}/openapi.json',
  },
  {
    path: '/tools/zoo/docs',
    method: 'GET',
    server: 'zoo',
    target: { kind: 'docs' },
    template: '/tools/{server}/docs',
  },
  {
    path: '/tools/zoo/docs',
    method: 'POST',
    server: 'zoo',
    target: { kind: 'tool', tool: 'docs' },
    template: '/tools/{server}/{tool}',
  },
  {
    path: '/tools/zoo/a%2Fb/c',
    method: 'POST',
    server: 'zoo',
    target: { kind: 'tool', tool: 'a/b/c' },
    template: '/tools/{server}/{tool}',
  },
  {
    path: '/tools/My_Server/x',
    method: 'POST',
    server: 'my-server',
    target: { kind: 'tool', tool: 'x' },
    template: '/tools/{server}/{tool}',
  },
  {
    path: '/tools/zoo/constructor',
    method: 'GET',
    server: 'zoo',
    target: { kind: 'tool', tool: 'constructor' },
    template: '/tools/{server}/{tool}',
  },
])('$method $path is a URL of the OpenAPI face', ({ path, method, server, target, template }) => {
  expect(parseToolsPath(path, method)).toEqual({
    path: { tenant: null, group: null, server, template, raw: '/tools' },
    target,
  });
  expect(parseToolsPath(`/t/a/g/b${path}`, method)?.path).toEqual({
    ...{ tenant: 'a', group: 'b', server, raw: '/t/a/g/b/tools' },
    template: `/t/{tenant}/g/{group}${template}`,
  });
});
