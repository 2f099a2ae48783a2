// A table: what people look for, and what entries are called. Brands that an entry names itself need no line here.

/** Left: said by people. Right: words of names, descriptions and categories. */
const table: Readonly<Record<string, string>> = {
  // Software
  git: 'source-control repository',
  repo: 'repository source-control',
  code: 'source-control repository',
  scm: 'source-control',
  pr: 'pull merge',
  ci: 'pipeline build deploy',
  cicd: 'pipeline build deploy',
  build: 'pipeline',
  hosting: 'deploy cloud',
  deployment: 'deploy',
  k8s: 'kubernetes',
  container: 'docker kubernetes',
  gke: 'kubernetes google',
  eks: 'kubernetes amazon',
  aks: 'kubernetes azure',
  gcp: 'google cloud',
  gce: 'google compute',
  iac: 'terraform pulumi infrastructure',
  infrastructure: 'cloud terraform pulumi',
  feature: 'flag launchdarkly unleash',
  flag: 'launchdarkly unleash feature',
  docs: 'documentation',
  documentation: 'docs',
  library: 'documentation docs',
  // Data
  db: 'database',
  sql: 'database',
  postgresql: 'postgres',
  psql: 'postgres',
  pg: 'postgres',
  mssql: 'dbhub database',
  mariadb: 'mysql',
  mongo: 'mongodb',
  nosql: 'mongodb redis couchbase',
  cache: 'redis',
  vector: 'pinecone qdrant chroma embedding',
  embedding: 'vector',
  warehouse: 'snowflake bigquery databricks clickhouse',
  graph: 'neo4j',
  bi: 'tableau analytics',
  dashboard: 'grafana tableau analytics',
  // Watching
  monitoring: 'observability metrics',
  apm: 'observability traces',
  logs: 'observability log',
  log: 'observability',
  metric: 'observability metrics',
  trace: 'observability traces',
  alert: 'observability incident pagerduty',
  oncall: 'pagerduty incident',
  incident: 'pagerduty observability',
  error: 'sentry observability',
  elk: 'elastic elasticsearch',
  otel: 'observability traces',
  analytics: 'amplitude mixpanel posthog',
  // Security
  vulnerability: 'security scan snyk',
  scan: 'security',
  sast: 'security semgrep',
  secret: 'vault security',
  sso: 'okta auth0 security',
  siem: 'sentinel splunk security',
  edr: 'crowdstrike security',
  // Work
  ticket: 'issue project-management support',
  issue: 'project-management',
  bug: 'issue project-management',
  task: 'project-management',
  todo: 'task project-management',
  kanban: 'board trello project-management',
  sprint: 'jira linear project-management',
  wiki: 'confluence notion page',
  // Post and people
  chat: 'communication message slack teams discord',
  message: 'communication',
  messaging: 'communication message',
  email: 'mail gmail outlook',
  mail: 'email gmail outlook',
  inbox: 'mail gmail outlook',
  meeting: 'calendar zoom transcript',
  transcript: 'meeting fireflies granola',
  appointment: 'calendar',
  schedule: 'calendar',
  call: 'zoom gong telnyx',
  phone: 'telnyx',
  sms: 'telnyx message',
  crm: 'crm-support salesforce hubspot',
  customer: 'crm-support',
  sales: 'crm-support salesforce hubspot',
  lead: 'crm-support contact',
  support: 'crm-support zendesk intercom',
  helpdesk: 'crm-support zendesk intercom',
  itsm: 'servicenow',
  // Documents
  office: 'microsoft word sharepoint',
  m365: 'microsoft 365',
  o365: 'microsoft 365',
  office365: 'microsoft 365',
  onedrive: 'sharepoint files',
  gsuite: 'google workspace',
  gdrive: 'google drive',
  file: 'files filesystem drive box dropbox',
  storage: 'files drive box dropbox',
  spreadsheet: 'airtable sheets workspace',
  sheet: 'airtable workspace',
  excel: 'microsoft 365 workspace',
  note: 'notion obsidian',
  pdf: 'markitdown docusign',
  sign: 'docusign',
  signature: 'docusign',
  automation: 'zapier make n8n',
  workflow: 'zapier make n8n automation',
  ipaas: 'zapier make n8n',
  // Money
  payment: 'payments stripe paypal',
  invoice: 'payments quickbooks stripe',
  billing: 'payments stripe',
  accounting: 'quickbooks payments',
  bank: 'plaid payments',
  expense: 'ramp payments',
  shop: 'shopify square',
  ecommerce: 'shopify square',
  // The web
  web: 'search-web browser fetch',
  websearch: 'search-web',
  crawl: 'scrape firecrawl search-web',
  scrape: 'firecrawl apify search-web',
  scraping: 'scrape firecrawl apify',
  browse: 'browser playwright',
  headless: 'browser playwright',
  map: 'google maps',
  cms: 'webflow sanity wix wordpress',
  website: 'webflow wix wordpress',
  image: 'cloudinary canva figma',
  design: 'figma canva',
  whiteboard: 'miro',
  diagram: 'miro',
  voice: 'elevenlabs',
  speech: 'elevenlabs',
  llm: 'ai',
  model: 'ai huggingface replicate',
  demo: 'everything reference',
  test: 'everything',
};

/** Words that stand for a word of a search: itself first. */
export function meantBy(word: string): string[] {
  const one = singular(word);
  const others = [word, one].flatMap((key) =>
    Object.hasOwn(table, key) ? (table[key] ?? '').split(' ') : [],
  );
  return [...new Set([one, ...others.flatMap((other) => wordsOf(other))])];
}

/** `Cloudflare Workers-Builds` -> cloudflare, worker, build. */
export function wordsOf(text: string): string[] {
  return text
    .toLowerCase()
    .split(/[^\p{L}\p{N}]+/u)
    .filter((word) => word !== '' && !empty.has(word))
    .map(singular);
}

const empty = new Set(
  'a an and any are as at by can for from in into is it its of on or that the to with'.split(' '),
);

function singular(word: string): string {
  if (word.length < 4) return word;
  if (word.endsWith('ies')) return `${word.slice(0, -3)}y`;
  return /[^aius]s$/.test(word) ? word.slice(0, -1) : word;
}
