export { pythonActionsModule as default } from './module';
