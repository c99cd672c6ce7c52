/** `spec.type` of the Resource entities that stand for jobs. */
export const TRAINING_JOB_TYPE = 'training-job';

/** Annotation of a job's entity; its value is the job's id. */
export const JOB_ID_ANNOTATION = 'ml-platform/job-id';

/** Plugin id, and the audience of the tokens that the service accepts. */
export const ML_PLATFORM_PLUGIN_ID = 'ml-platform';

export const SUBMIT_TEMPLATE = {
  namespace: 'default',
  templateName: 'submit-training-job',
};

export const CANCEL_TEMPLATE = {
  namespace: 'default',
  templateName: 'cancel-training-job',
};
