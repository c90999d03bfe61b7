/** The stream that every notification and polled reading enters by. */
export const INTAKE_STREAM = 'NEPHO_INTAKE';
export const INTAKE_SUBJECTS = 'nepho.intake.*';
/** The object store bucket for bodies that exceed the server's `max_payload`. */
export const LARGE_BUCKET = 'nepho-large';
export const LARGE_BUCKET_STREAM = `OBJ_${LARGE_BUCKET}`;

/** Headers of a message of the intake. */
export const IntakeHeader = {
  /** What brought it: `rabbitmq`, `send`, `demo`, `http`. */
  via: 'Nepho-Via',
  /** RabbitMQ's exchange and routing key. */
  exchange: 'Nepho-Exchange',
  routingKey: 'Nepho-Routing-Key',
  /** The name of the object that holds the body, whose message is then empty. */
  object: 'Nepho-Object',
} as const;

export function intakeSubject(shard: number): string {
  return `nepho.intake.${shard}`;
}

/** The durable consumer of a shard. */
export function intakeConsumer(shard: number): string {
  return `ingest-${shard}`;
}
