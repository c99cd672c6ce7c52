// @ts-check

/** @param {import('knex').Knex} knex */
exports.up = async function up(knex) {
  await knex.schema.createTable('python_actions_services', table => {
    table.comment('What each Python service offered when it last answered.');
    table.string('name').primary().comment('Name of the service in app-config');
    table
      .text('actions', 'longtext')
      .notNullable()
      .comment('Its list of actions, as JSON');
  });
};

/** @param {import('knex').Knex} knex */
exports.down = async function down(knex) {
  await knex.schema.dropTable('python_actions_services');
};
