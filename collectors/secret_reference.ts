/** Where a secret is kept: settings hold this and never the secret. */
export type SecretReference = { env: string } | { file: string };

/**
 * Reads a secret anew, so that a changed one is found; without the newline at its end.
 *
 * @throws {NephoError} if it is not there, or the file can be read by others than its owner
 */
export type ReadSecret = (reference: SecretReference) => Promise<string>;
