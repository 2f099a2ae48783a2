import { z } from 'zod';
import type { Endpoint, Route } from '../platform/contract.ts';
import { errorBody } from './contract.ts';

type Json = Readonly<Record<string, unknown>>;

/** OpenAPI 3.1 of exactly the routes that are served: the schemas that check requests are the ones printed here. */
export function openApiDocument(
  routes: readonly Route[],
  about: { version: string; publicUrl: string; basePath: string },
): Json {
  const paths: Record<string, Record<string, Json>> = {};
  for (const { endpoint } of routes) {
    paths[endpoint.path] = { ...paths[endpoint.path], [endpoint.method.toLowerCase()]: operation(endpoint) };
  }
  return {
    openapi: '3.1.0',
    info: { title: 'Toolgate admin API', version: about.version },
    servers: [{ url: `${about.publicUrl}${about.basePath}` }],
    security: [{ bearer: [] }],
    tags: [...new Set(routes.map(({ endpoint }) => endpoint.tag))].map((name) => ({ name })),
    paths,
    components: {
      securitySchemes: {
        bearer: {
          type: 'http',
          scheme: 'bearer',
          description: 'TOOLGATE_ADMIN_TOKEN, or the API token of an admin.',
        },
      },
      schemas: { Error: schemaOf(errorBody, 'output') },
      responses: {
        Error: { description: 'Refused or failed', content: json({ $ref: '#/components/schemas/Error' }) },
      },
    },
  };
}

function operation(endpoint: Endpoint): Json {
  const body = endpoint.body.type === 'undefined' ? {} : { requestBody: requestBody(endpoint.body) };
  return {
    operationId: operationId(endpoint),
    tags: [endpoint.tag],
    summary: endpoint.summary,
    parameters: [...parameters(endpoint.params, 'path'), ...parameters(endpoint.query, 'query')],
    ...body,
    responses: { [endpoint.status]: success(endpoint), default: { $ref: '#/components/responses/Error' } },
  };
}

/** `PUT /users/{email}/groups/{group}` becomes `put_users_email_groups_group`. */
function operationId({ method, path }: Endpoint): string {
  return [method.toLowerCase(), ...(path.match(/[\w-]+/g) ?? [])].join('_');
}

function parameters(schema: z.ZodObject, place: 'path' | 'query'): Json[] {
  return Object.entries(schema.shape).map(([name, value]) => ({
    name,
    in: place,
    required: place === 'path' || !z.safeParse(value, undefined).success,
    schema: schemaOf(value, 'input'),
  }));
}

function requestBody(schema: z.ZodType): Json {
  return { required: !schema.safeParse(undefined).success, content: json(schemaOf(schema, 'input')) };
}

function success({ status, output }: Endpoint): Json {
  return status === 204
    ? { description: 'Done' }
    : { description: 'Done', content: json(schemaOf(output, 'output')) };
}

function json(schema: Json): Json {
  return { 'application/json': { schema } };
}

function schemaOf(schema: z.core.$ZodType, io: 'input' | 'output'): Json {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io, unrepresentable: 'any', reused: 'inline' });
  return rest;
}
