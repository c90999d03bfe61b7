import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import {
  childOf,
  childrenOf,
  MAX_XML_DEPTH,
  MAX_XML_ELEMENTS,
  MAX_XML_LENGTH,
  parseXml,
  type XmlElement,
} from '../../collectors/xml/xml_document.ts';
import { isNephoError } from '../../meters/errors.ts';

function faultOf(text: string): string {
  try {
    parseXml(text);
  } catch (error) {
    assert(isNephoError(error), String(error));
    return `${error.code}: ${error.message}`;
  }
  return 'none';
}

test('parseXml reads elements, attributes, text, CDATA and what it may skip', () => {
  const root = parseXml(
    `\ufeff<?xml version="1.0"?>\n<!-- a <comment> -->\n<a x='1' y = "&lt;2&#x41;&#66;&apos;">` +
      `<b/>one<c>&amp;<![CDATA[<&raw;>]]></c>two</a>\n`,
  );
  assert.equal(root.name, 'a');
  assert.deepEqual([...root.attributes], [['x', '1'], ['y', "<2AB'"]]);
  assert.equal(root.text, 'onetwo');
  assert.equal(childOf(root, 'c')?.text, '&<&raw;>');
  assert.equal(childrenOf(root, 'b').length, 1);
});

test('parseXml resolves namespaces by scope, not by prefix', () => {
  const root = parseXml(
    `<a xmlns:n="one"><n:b><c xmlns="two"><d/><n:e xmlns:n="three"/></c></n:b><f/><z:g/></a>`,
  );
  const b = childOf(root, 'b', 'one');
  const c = childOf(b, 'c', 'two');
  assert.equal(childOf(c, 'd')?.namespace, 'two');
  assert.equal(childOf(c, 'e')?.namespace, 'three');
  assert.equal(childOf(root, 'f')?.namespace, null);
  assert.equal(childOf(root, 'g')?.namespace, null);
  assert.equal(childOf(root, 'b', 'two'), undefined);
});

test('parseXml says what is wrong and in which line', () => {
  const faults: [string, RegExp][] = [
    ['', /line 1: there is no element/],
    ['no xml', /text outside of the root element/],
    ['<a>\n<b>\n</a>', /line 3: <\/a> ends <b>/],
    ['<a>', /<a> is not closed/],
    ['</a>', /ends nothing/],
    ['<a/><b/>', /second root/],
    ['<a x=1/>', /has no quotes/],
    ['<a x="1/>', /has no end/],
    ['<a x="1" x="2"/>', /stands twice/],
    ['<a x="<"/>', /has a </],
    ['<a>&nbsp;</a>', /reference '&nbsp;' is not known/],
    ['<a>& b</a>', /reference '&' is not known/],
    ['<a>&#0;</a>', /is not known/],
    ['<a>&#1114112;</a>', /is not known/],
    ['<a><!-- </a>', /'<!--' has no end/],
    ['< a/>', /a name is missing/],
    ['<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>', /document type is not accepted/],
  ];
  for (const [text, wanted] of faults) {
    const fault = faultOf(text);
    assert.match(fault, wanted, text);
    assert.match(fault, /^parse_error: Cannot read XML, line \d+: /, text);
  }
});

test('parseXml keeps its limits of length, depth and number', () => {
  assert.match(faultOf('<a>'.repeat(MAX_XML_DEPTH + 1)), /^too_large: /);
  assert.match(faultOf(`<a>${'<b/>'.repeat(MAX_XML_ELEMENTS)}</a>`), /^too_large: /);
  assert.match(faultOf(' '.repeat(MAX_XML_LENGTH + 1)), /^too_large: /);
});

interface Tree {
  text: string;
  size: number;
}

/** A tree as any writer would write it. */
const tree: fc.Memo<Tree> = fc.memo((depth) =>
  fc.record({
    name: fc.stringMatching(/^[a-z][a-z0-9]{0,5}$/),
    value: fc.string({ maxLength: 8 }),
    children: depth > 1 ? fc.array(tree(), { maxLength: 3 }) : fc.constant<Tree[]>([]),
  }).map(({ name, value, children }) => {
    const escaped = value.replace(/[<>&"'\r\n\t]/g, (each) => `&#${each.codePointAt(0)};`);
    const inner = children.map((each) => each.text).join('');
    return {
      text: `<${name} v="${escaped}">${escaped}${inner}</${name}>`,
      size: 1 + children.reduce((sum, each) => sum + each.size, 0),
    };
  })
);

function sizeOf(element: XmlElement): number {
  assert.equal(element.attributes.get('v'), element.text);
  return 1 + element.children.reduce((sum, child) => sum + sizeOf(child), 0);
}

test('parseXml reads every tree that a writer writes', () => {
  fc.assert(fc.property(tree(4), ({ text, size }) => {
    assert.equal(sizeOf(parseXml(text)), size);
  }));
});

test('parseXml ends with a result or an error of its own on any text', () => {
  const piece = fc.constantFrom('<', '>', '/', '"', '=', '&', ';', '<!--', 'a', ' ', '<a>', '</a>');
  fc.assert(fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => {
    assert.match(faultOf(pieces.join('')), /^(?:none|parse_error: .*)$/);
  }));
});
