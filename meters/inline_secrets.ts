import type { DefinitionNode } from './definition_document.ts';
import type { FaultList, Place } from './definition_fault.ts';

/** The last words of keys whose values are secret, once `camelCase` and `kebab-case` are snake_case. */
const SECRET_KEY =
  /(?:^|_)(?:password|passwd|passphrase|secret|token|api_?key|(?:access|auth|priv|privacy|private|secret)_key|community|authorization)$/;
const PASSWORD_IN_URL = /^[a-z][a-z0-9+.-]*:\/\/[^\s/:@]*:[^\s/@]+@/i;
/** Ceilometer's pollsters of OpenDaylight and OpenContrail took it so. */
const PASSWORD_IN_QUERY = /[?&]password=[^&\s]/i;

/**
 * Refuses every secret that stands in the settings themselves: the file is shown, copied and kept in
 * version control. The faults do not cite it.
 */
export function refuseSecrets(root: DefinitionNode, faults: FaultList): void {
  const seen = new Set<DefinitionNode>();
  const look = (node: DefinitionNode): void => {
    if (seen.has(node)) return;
    seen.add(node);
    if (node.kind === 'list') node.items.forEach(look);
    if (node.kind === 'text' && PASSWORD_IN_URL.test(node.text)) {
      faults.fault(
        'secret_inline',
        node.place,
        'A password stands in an address',
        'Take it out of the address, and name it by password_env: or password_file:',
      );
    }
    if (node.kind !== 'map') return;
    for (const [key, { keyPlace, value }] of node.entries) {
      if (isSecretKey(key) && isGiven(value)) refuse(key, keyPlace, faults);
      else look(value);
    }
  };
  look(root);
}

/** True if an address of a source holds a password, which would be in the log for ever. */
export function holdsPassword(address: string): boolean {
  return PASSWORD_IN_URL.test(address) || PASSWORD_IN_QUERY.test(address);
}

function refuse(key: string, place: Place, faults: FaultList): void {
  faults.fault(
    'secret_inline',
    place,
    `The value of '${key}' stands in the file itself`,
    `Write ${key}_env: and the name of a variable, or ${key}_file: and a file that its owner alone can read`,
  );
}

function isSecretKey(key: string): boolean {
  const snake = key.replace(/([a-z0-9])([A-Z])/g, '$1_$2').replaceAll(/[-.]/g, '_').toLowerCase();
  return SECRET_KEY.test(snake);
}

function isGiven(value: DefinitionNode): boolean {
  return value.kind === 'number' || (value.kind === 'text' && value.text !== '');
}
