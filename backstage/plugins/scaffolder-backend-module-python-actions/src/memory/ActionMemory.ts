import {
  DatabaseService,
  resolvePackagePath,
} from '@backstage/backend-plugin-api';
import { Knex } from 'knex';
import { ActionList, actionList } from '../protocol';

const PACKAGE = '@internal/plugin-scaffolder-backend-module-python-actions';

/** Keeps what services offered, for a start at which they do not answer. */
export interface ActionMemory {
  load(service: string): Promise<ActionList | undefined>;
  save(service: string, list: ActionList): Promise<void>;
}

interface Row {
  name: string;
  actions: string;
}

export class DatabaseActionMemory implements ActionMemory {
  static async create(options: {
    database: DatabaseService;
  }): Promise<ActionMemory> {
    const knex = await options.database.getClient();
    if (!options.database.migrations?.skip) {
      await knex.migrate.latest({
        directory: resolvePackagePath(PACKAGE, 'migrations'),
        // The database is the scaffolder's, which keeps a migration table of its own.
        tableName: 'python_actions_migrations',
      });
    }
    return new DatabaseActionMemory(knex);
  }

  private constructor(private readonly knex: Knex) {}

  async load(service: string): Promise<ActionList | undefined> {
    const row = await this.knex<Row>('python_actions_services')
      .where({ name: service })
      .first();
    // A list that an older version wrote in another form is as good as none.
    return row && actionList.safeParse(JSON.parse(row.actions)).data;
  }

  async save(service: string, list: ActionList): Promise<void> {
    await this.knex<Row>('python_actions_services')
      .insert({ name: service, actions: JSON.stringify(list) })
      .onConflict('name')
      .merge();
  }
}
