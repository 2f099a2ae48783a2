import { expect, test } from 'vitest';
import { indexEntries } from './search-entries.ts';
import { shippedEntries } from './shipped.ts';

const search = indexEntries(shippedEntries());

test.each([
  ['github', ['github']],
  ['GitHub', ['github']],
  ['gith', ['github']],
  ['githbu', ['github']],
  ['postgres', ['postgres']],
  ['postgresql', ['postgres']],
  ['psql', ['postgres']],
  ['jira', ['atlassian']],
  ['confluence', ['atlassian']],
  ['slack', ['slack']],
  ['k8s', ['kubernetes']],
  ['google drive', ['google-drive']],
  ['gdrive', ['google-drive']],
  ['gmail', ['gmail']],
  ['email', ['gmail', 'microsoft-outlook-mail']],
  ['calendar', ['google-calendar', 'microsoft-outlook-calendar']],
  ['outlook', ['microsoft-outlook-mail', 'microsoft-outlook-calendar']],
  ['sharepoint', ['microsoft-sharepoint-onedrive', 'microsoft-sharepoint-lists']],
  ['teams', ['microsoft-teams']],
  ['crm', ['salesforce', 'hubspot']],
  ['payments', ['stripe', 'paypal']],
  ['monitoring', ['datadog', 'grafana']],
  ['error tracking', ['sentry', 'posthog']],
  ['vector database', ['pinecone', 'qdrant']],
  ['web search', ['brave-search', 'exa']],
  ['scraping', ['firecrawl']],
  ['browser', ['playwright']],
  ['design', ['figma', 'canva']],
  ['files', ['filesystem']],
  ['aws docs', ['aws-documentation']],
  ['data warehouse', ['snowflake', 'bigquery']],
  ['feature flags', ['launchdarkly', 'unleash']],
  ['helpdesk', ['intercom']],
  ['issues', ['github', 'linear']],
  ['secrets', ['hashicorp-vault']],
])('"%s" finds %j among the first', (text, wanted) => {
  const first = search(text).slice(0, wanted.length === 1 ? 3 : 8);
  expect(first).toEqual(expect.arrayContaining([...wanted]));
});

test.each([
  ['github', 'github'],
  ['gitlab', 'gitlab'],
  ['linear', 'linear'],
  ['notion', 'notion'],
  ['stripe', 'stripe'],
  ['redis', 'redis'],
  ['aws', 'aws'],
  ['azure devops', 'azure-devops'],
  ['everything', 'everything'],
  ['microsoft learn', 'microsoft-learn'],
  ['cloudflare docs', 'cloudflare-docs'],
])('"%s" finds %s first', (text, id) => {
  expect(search(text)[0]).toBe(id);
});

test('what nobody should use comes after what does the same', () => {
  const found = search('browser');
  expect(found.indexOf('playwright')).toBeLessThan(found.indexOf('puppeteer'));
});

test.each(['', '   ', 'the of a', 'zzzzqqqqxxxx', '${…}', '.*', '\u0000'])(
  '%j finds nothing, and breaks nothing',
  (text) => {
    expect(search(text)).toEqual([]);
  },
);
