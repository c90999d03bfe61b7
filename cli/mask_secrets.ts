const PASSWORD_IN_URL = /([a-z][a-z0-9+.-]*:\/\/[^\s:/@]*:)[^\s@/]+@/gi;

/** Masks the passwords of addresses within a text: `amqp://nepho:…@rabbit/`. */
export function maskSecrets(value: string): string {
  return value.replace(PASSWORD_IN_URL, '$1…@');
}
