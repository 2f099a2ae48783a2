/** Clients whose ways the gate allows for; everybody else gets what the specification says. */
export type Audience = 'any' | 'open-webui';
