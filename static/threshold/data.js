// What the server wrote into the page.
export const read = (id) => JSON.parse(document.getElementById(id).textContent);

export const points = read("points");
export const plan = read("plan");

export function nearest(wanted) {
  const off = (p) => Math.abs(p.threshold - wanted);
  return points.reduce((best, p, i) => (off(p) < off(points[best]) ? i : best), 0);
}
