/** The address of a change's page: a change is one repository's, at one gate. */
export function changePath(change: {
  gate: string;
  change: string;
  repository?: string | null | undefined;
}): string {
  const query = new URLSearchParams({ gate: change.gate });
  if (typeof change.repository === 'string') query.set('repository', change.repository);
  return `/ui/changes/${encodeURIComponent(change.change)}?${query}`;
}
