export * from './WorkloadPicker';
export * from './workloadPickerField';
