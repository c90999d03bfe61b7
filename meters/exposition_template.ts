import { NephoError } from './errors.ts';

/** Text with labels in it: `host-${instance}`; `$$` is a dollar sign. */
export interface LabelTemplate {
  readonly source: string;
  /** What stands before the first label. */
  readonly prefix: string;
  readonly labels: readonly string[];
  /** Null if a label is not there or empty, which is the same in Prometheus. */
  fill(valueOf: (label: string) => string | undefined): string | null;
}

const MAX_TEMPLATE_LENGTH = 1_024;

/** @throws {NephoError} `template_invalid` */
export function parseTemplate(source: string): LabelTemplate {
  if (source.length > MAX_TEMPLATE_LENGTH) {
    throw templateFault(source, `it has more than ${MAX_TEMPLATE_LENGTH} characters`);
  }
  const parts: ({ text: string } | { label: string })[] = [];
  let text = '';
  for (const match of source.matchAll(/\$\$|\$\{([^{}]+)\}|\$|[^$]+/g)) {
    const [all, label] = match;
    if (all === '$') throw templateFault(source, "a '$' stands alone: write ${label}, or $$");
    if (label === undefined) {
      text += all === '$$' ? '$' : all;
      continue;
    }
    if (text !== '') parts.push({ text });
    text = '';
    parts.push({ label });
  }
  if (text !== '') parts.push({ text });
  if (parts.length === 0) throw templateFault(source, 'it is empty');
  const first = parts[0];
  return {
    source,
    prefix: first !== undefined && 'text' in first ? first.text : '',
    labels: parts.flatMap((part) => 'label' in part ? [part.label] : []),
    fill(valueOf) {
      let filled = '';
      for (const part of parts) {
        const piece = 'text' in part ? part.text : valueOf(part.label);
        if (piece === undefined || piece === '') return null;
        filled += piece;
      }
      return filled;
    },
  };
}

function templateFault(source: string, problem: string): NephoError {
  return new NephoError(
    'template_invalid',
    `Cannot read the template '${source.slice(0, 80)}': ${problem}`,
  );
}
