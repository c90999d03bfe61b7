/** True for what `startChild` throws if an actor of that id is running: the bundle knows no class of it. */
export function isAlreadyStarted(error: unknown): boolean {
  return error instanceof Error &&
    (error.name === 'WorkflowExecutionAlreadyStartedError' || isAlreadyStarted(error.cause));
}
