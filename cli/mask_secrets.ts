const PASSWORD_IN_URL = /((?:\/\/|,)[^\s:/@,]*:)[^\s@/,]+@/g;

/** Masks the passwords of addresses within a text: `amqp://nepho:…@rabbit/`, lists of hosts too. */
export function maskSecrets(value: string): string {
  return value.replace(PASSWORD_IN_URL, '$1…@');
}
