import type { CommandOutput } from '../../cli/definitions_check.ts';

/** An output that keeps what a command writes. */
export function recordingOutput(): CommandOutput & { written: string; errors: string } {
  return {
    written: '',
    errors: '',
    write(text) {
      this.written += text;
    },
    writeError(text) {
      this.errors += text;
    },
  };
}
