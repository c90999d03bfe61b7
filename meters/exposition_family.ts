import { type LineReader, unescapeText } from './exposition_line.ts';
import {
  type ExpositionFamily,
  type ExpositionType,
  familyNamesOf,
  isOfFamily,
  readExpositionType,
} from './exposition_type.ts';

export type ExpositionFormat = 'prometheus' | 'openmetrics';

interface Known {
  family: ExpositionFamily;
  hasType: boolean;
  hasHelp: boolean;
  hasUnit: boolean;
  hasSamples: boolean;
}

/**
 * What the lines that begin with `#` have said. The text format lets metrics come in any order;
 * OpenMetrics has all lines of a metric together, what describes it first.
 */
export class FamilyTable {
  private readonly format: ExpositionFormat;
  private readonly maxFamilies: number;
  private readonly known = new Map<string, Known>();
  private current: Known | null = null;

  constructor(format: ExpositionFormat, maxFamilies: number) {
    this.format = format;
    this.maxFamilies = maxFamilies;
  }

  /** A `TYPE`, `HELP` or `UNIT` of a metric, with the rest of its line. */
  describe(
    reader: LineReader,
    { keyword, name, text }: { keyword: 'TYPE' | 'HELP' | 'UNIT'; name: string; text: string },
  ): void {
    const known = this.open(name, reader);
    const isStrict = this.format === 'openmetrics';
    if (isStrict && known.hasSamples) reader.fail(`a ${keyword} follows the samples of its metric`);
    if (keyword === 'TYPE') {
      this.setType(known, text, reader);
    } else if (keyword === 'HELP') {
      if (isStrict && known.hasHelp) reader.fail('a metric has a second HELP');
      known.hasHelp = true;
      known.family = { ...known.family, help: unescapeText(text, isStrict) };
    } else {
      if (known.hasUnit) reader.fail('a metric has a second UNIT');
      if (text !== '' && !name.endsWith(`_${text}`)) {
        reader.fail(`the metric's name does not end in its unit '${text.slice(0, 40)}'`);
      }
      known.hasUnit = true;
      known.family = { ...known.family, unit: text };
    }
  }

  /** The metric of a sample. */
  familyOf(sampleName: string, reader: LineReader): ExpositionFamily {
    const known = this.find(sampleName) ?? this.openUndescribed(sampleName, reader);
    known.hasSamples = true;
    this.current = known;
    return known.family;
  }

  private find(sampleName: string): Known | null {
    const { current, format } = this;
    if (current !== null && isOfFamily(sampleName, current.family, format)) return current;
    if (format === 'openmetrics') return null;
    for (const name of familyNamesOf(sampleName)) {
      const known = this.known.get(name);
      if (known !== undefined && isOfFamily(sampleName, known.family, format)) return known;
    }
    return null;
  }

  private openUndescribed(sampleName: string, reader: LineReader): Known {
    const known = this.known.get(sampleName);
    if (this.format === 'openmetrics' && known !== undefined && known === this.current) {
      reader.fail(`'${sampleName.slice(0, 40)}' is no sample of a ${known.family.type}`, 0);
    }
    return this.open(sampleName, reader);
  }

  private open(name: string, reader: LineReader): Known {
    const known = this.known.get(name);
    if (known !== undefined) {
      if (this.format === 'openmetrics' && known !== this.current) {
        reader.fail(`the lines of the metric '${name.slice(0, 40)}' do not stand together`, 0);
      }
      this.current = known;
      return known;
    }
    if (this.known.size >= this.maxFamilies) {
      reader.fail(`the exposition has more than ${this.maxFamilies} metrics`);
    }
    const made: Known = {
      family: { name, type: 'unknown', unit: '', help: '' },
      hasType: false,
      hasHelp: false,
      hasUnit: false,
      hasSamples: false,
    };
    this.known.set(name, made);
    this.current = made;
    return made;
  }

  private setType(known: Known, text: string, reader: LineReader): void {
    const type = this.readType(text, reader);
    // An exporter that joins texts of others may repeat itself; it may not contradict itself.
    const repeats = this.format === 'prometheus' && known.hasType && known.family.type === type;
    if (repeats) return;
    if (known.hasType) reader.fail('a metric has a second TYPE');
    if (known.hasSamples) reader.fail('a TYPE follows the samples of its metric');
    known.hasType = true;
    known.family = { ...known.family, type };
  }

  private readType(text: string, reader: LineReader): ExpositionType {
    const type = this.format === 'prometheus' && text === 'untyped'
      ? 'unknown'
      : readExpositionType(text);
    if (type === null) reader.fail(`'${text.slice(0, 40)}' is no type`);
    return type;
  }
}
