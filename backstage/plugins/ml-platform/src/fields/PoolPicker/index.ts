export * from './PoolPicker';
export * from './poolPickerField';
