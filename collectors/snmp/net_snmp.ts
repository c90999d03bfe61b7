/** What this collector uses of the package net-snmp, which has no types of its own. */
import type { Buffer } from 'node:buffer';
import { getCiphers, randomBytes } from 'node:crypto';
import type { Socket, SocketType } from 'node:dgram';
import { createRequire } from 'node:module';
import { aesCfb } from './aes_cfb.ts';

export interface Varbind {
  oid: string;
  /** See {@link OBJECT_TYPES}. */
  type: number;
  value: unknown;
}

type Answer<T> = (error: Error | null, answer: T) => void;

export interface NetSnmpSession {
  get(oids: readonly string[], answer: Answer<Varbind[]>): void;
  /** The answer has a list for each repeater. */
  getBulk(
    oids: readonly string[],
    nonRepeaters: number,
    maxRepetitions: number,
    answer: Answer<Varbind[][]>,
  ): void;
  on(event: 'error', listener: (error: Error) => void): void;
  close(): void;
}

export interface NetSnmpOptions {
  version: number;
  port: number;
  transport: SocketType;
  /** Milliseconds. */
  timeout: number;
  retries: number;
  backwardsGetNexts: boolean;
  context?: string;
  dgramModule: { createSocket(type: SocketType): Socket };
}

export interface NetSnmpUser {
  name: string;
  level: number;
  authProtocol: number;
  authKey: string;
  privProtocol?: number;
  privKey?: string;
}

interface NetSnmp {
  createSession(target: string, community: string, options: NetSnmpOptions): NetSnmpSession;
  createV3Session(target: string, user: NetSnmpUser, options: NetSnmpOptions): NetSnmpSession;
  Version2c: number;
  Version3: number;
  SecurityLevel: Readonly<Record<'authNoPriv' | 'authPriv', number>>;
  AuthProtocols: Readonly<Record<string, number>>;
  PrivProtocols: Readonly<Record<string, number>>;
  ErrorStatus: Readonly<Record<string, number>>;
  ResponseInvalidCode: Readonly<Record<string, number>>;
  Encryption: {
    algorithms: Record<number, PrivacyAlgorithm>;
    generateIvAes(aes: PrivacyAlgorithm, boots: number, time: number, salt: Uint8Array): Buffer;
  };
}

interface Engine {
  engineID: Buffer;
  engineBoots: number;
  engineTime: number;
}

interface PrivacyAlgorithm {
  localizationAlgorithm(
    aes: PrivacyAlgorithm,
    authProtocol: number,
    password: string,
    engineId: Buffer,
  ): Buffer;
  encryptPdu: (...of: [Buffer, number, string, number, Engine]) => {
    encryptedPdu: Buffer;
    msgPrivacyParameters: Buffer;
  };
  decryptPdu: (...of: [Buffer, number, Buffer, string, number, Engine]) => Buffer;
}

/** It is CommonJS without types: required, so that its interface is the one above. */
export const netSnmp: NetSnmp = createRequire(import.meta.url)('net-snmp');

if (!getCiphers().includes('aes-128-cfb')) {
  for (const protocol of ['aes', 'aes256b', 'aes256r']) lendAes(netSnmp, protocol);
}

/** Lets net-snmp encrypt by our AES where the runtime has none of this mode. */
function lendAes({ Encryption, PrivProtocols }: NetSnmp, protocol: string): void {
  const aes = Encryption.algorithms[PrivProtocols[protocol] ?? 0];
  if (aes === undefined) return;
  const lent = (password: string, authProtocol: number, salt: Buffer, engine: Engine) => ({
    key: aes.localizationAlgorithm(aes, authProtocol, password, engine.engineID),
    iv: Encryption.generateIvAes(aes, engine.engineBoots, engine.engineTime, salt),
  });
  aes.encryptPdu = (...[pdu, , password, authProtocol, engine]) => {
    const salt = randomBytes(8);
    const keys = lent(password, authProtocol, salt, engine);
    return {
      encryptedPdu: aesCfb(pdu, { ...keys, decrypt: false }),
      msgPrivacyParameters: salt,
    };
  };
  aes.decryptPdu = (...[pdu, , salt, password, authProtocol, engine]) =>
    aesCfb(pdu, { ...lent(password, authProtocol, salt, engine), decrypt: true });
}

/** The types of SNMP's values that are told apart here: RFC 3416, section 3. */
export const OBJECT_TYPES = {
  integer: 2,
  octets: 4,
  oid: 6,
  counter32: 65,
  gauge32: 66,
  timeTicks: 67,
  counter64: 70,
  noSuchObject: 128,
  noSuchInstance: 129,
  endOfMibView: 130,
} as const;
