export {
  type DrizzleTransaction,
  drizzleTransaction,
  type KnexTransaction,
  knexTransaction,
  type KyselyTransaction,
  kyselyTransaction,
  type Mysql2Connection,
  mysqlTransaction,
  beginOnPool,
  type PgClient,
  type PgPool,
  pgTransaction,
  type PrismaTransaction,
  prismaTransaction,
  type PostgresJsSql,
  postgresJsTransaction,
  type SqliteDatabase,
  sqliteTransaction,
  type TypeOrmManager,
  typeOrmTransaction,
} from "./database/adapters.ts";
export type { Row, SyncTransaction, Transaction } from "./database/transaction.ts";
export type { MessageRef, PublishOptions } from "./rows/message-row.ts";
export type { RelayHealth } from "./relay/relay-health.ts";
export { type Relay, type RelayOptions, startRelay } from "./relay/relay.ts";
export { type AdoptedTable, adoptTableSql, type ColumnOr } from "./schema/adopt-table.ts";
export { POSTGRES_SCHEMA } from "./schema/postgres.ts";
export { MYSQL_SCHEMA } from "./schema/mysql.ts";
export { SQLITE_SCHEMA } from "./schema/sqlite.ts";
export type {
  BatchQuery,
  Claim,
  ClaimLimits,
  DoneQuery,
  DoneRecord,
  OutboxRow,
  OutboxStatus,
  OutboxStore,
  SetAside,
  SetAsideRow,
} from "./store/outbox-store.ts";
export { mysqlOutbox, type MysqlOutboxOptions } from "./store/mysql-store.ts";
export { postgresOutbox, type PostgresOutboxOptions } from "./store/postgres-store.ts";
export { sqliteOutbox, type SqliteOutboxOptions } from "./store/sqlite-store.ts";
export type { OutboxBatch } from "./writer/outbox-batch.ts";
export type { OutboxChain } from "./writer/outbox-chain.ts";
export type { Begin } from "./writer/committed.ts";
export { createOutbox, type Outbox, type OutboxItem, type OutboxOf } from "./writer/outbox.ts";
export type { OutboxOptions } from "./writer/outbox-options.ts";
export { createSyncOutbox, type SyncOutbox } from "./writer/sync-outbox.ts";
export {
  type AdaptedOutbox,
  createAdaptedOutbox,
  type OutboxAdapter,
} from "./writer/adapted-outbox.ts";
