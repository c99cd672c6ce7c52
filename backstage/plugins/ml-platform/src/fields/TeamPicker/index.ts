export * from './TeamPicker';
export * from './teamPickerField';
