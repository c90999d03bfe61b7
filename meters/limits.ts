/** Bounds on what comes from outside. Each has its unit in its name or its comment. */

/** Digits of a volume on either side of the decimal point. */
export const MAX_QUANTITY_DIGITS = 60;
/** Bytes of one notification as it arrives; a longer one is quarantined unread. */
export const MAX_NOTIFICATION_BYTES = 16 * 1024 * 1024;
/** Levels of nesting in a notification. */
export const MAX_JSON_DEPTH = 64;
/** Samples that one notification may give. */
export const MAX_SAMPLES_PER_NOTIFICATION = 10_000;
/** UTF-16 units of a meter's name, a unit, a resource, project or user id, an origin id. */
export const MAX_NAME_LENGTH = 255;
/**
 * UTF-16 units of an identifier of a resource, project, user or origin. With three bytes each, and a
 * meter's name beside it, it must fit into an entry of a PostgreSQL index, 2,704 bytes: a longer one
 * could not be stored and would stop its shard.
 */
export const MAX_ID_LENGTH = 512;
/** UTF-16 units of a sample's metadata in canonical form. */
export const MAX_METADATA_LENGTH = 256 * 1024;
/** How far before the present a sample's timestamp may lie, in days. */
export const MAX_AGE_DAYS = 400;
/** How far after the present a sample's timestamp may lie, in days. */
export const MAX_AHEAD_DAYS = 1;
