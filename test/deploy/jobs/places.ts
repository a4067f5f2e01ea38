/** Exports no job: a folder may hold such files. */
export const PLACES = ["/", "/app", "/app/jobs", "/usr/local/bin", "/tmp"];
