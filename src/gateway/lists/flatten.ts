/**
 * The tool for a client that keeps only those arguments that the schema's top-level `properties` name. A schema that
 * such a client reads well stays byte for byte.
 */
export function flattened(rawTool: string): string {
  return rawTool;
}
