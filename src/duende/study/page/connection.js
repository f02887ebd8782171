// Talks to the server, and remembers who the participant is.

export async function ask(address, body) {
  const options = body === undefined ? {} : { method: "POST", body: JSON.stringify(body), headers: { "Content-Type": "application/json" } };
  let response, values;
  try {
    response = await fetch(address, { ...options, cache: "no-store" });
    values = await response.json();
  } catch {
    throw new Error("The study cannot be reached just now. Your answers are still here: please try again.");
  }
  if (!response.ok) throw Object.assign(new Error(values.error), { status: response.status });
  return values;
}

/** Ids that may be this participant's: of the page's address, and of an earlier visit if the browser stores anything. */
export function remembered(study) {
  const found = [location.hash.slice(1)];
  try {
    found.push(localStorage.getItem(`duende-study-${study.id}`));
  } catch { /* the address is enough */ }
  return found.filter(Boolean);
}

export function remember(study, participant) {
  history.replaceState(null, "", participant ? `#${participant}` : location.pathname + location.search);
  try {
    if (participant) localStorage.setItem(`duende-study-${study.id}`, participant);
    else localStorage.removeItem(`duende-study-${study.id}`);
  } catch { /* the address is enough */ }
}
