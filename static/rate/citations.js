// Numbers of sources in the answers, as links to the sources while these are open.
const CITED = /\[\d{1,3}(?:\s?[,;–-]\s?\d{1,3}){0,30}\]/g;

export function prepare(place) {
  const list = place.querySelector("#sources");
  list?.addEventListener("toggle", () => { for (const answer of place.querySelectorAll(".answer")) (list.open ? link : unlink)(answer); });
}

function link(answer) {
  const walker = document.createTreeWalker(answer, NodeFilter.SHOW_TEXT);
  const found = [];
  while (walker.nextNode()) if (!walker.currentNode.parentElement.closest("code, pre, a")) found.push(walker.currentNode);
  for (const text of found) {
    const parts = linked(text.data);
    if (parts.length > 1) text.replaceWith(...parts);
  }
}

// The text in pieces, each number that a source has in a link.
function linked(text) {
  const parts = [];
  let done = 0;
  for (const cited of text.matchAll(CITED)) {
    for (const number of cited[0].matchAll(/\d+/g)) {
      if (!document.getElementById(`source-${number[0]}`)) continue;
      const at = cited.index + number.index;
      parts.push(text.slice(done, at), anchor(number[0]));
      done = at + number[0].length;
    }
  }
  return [...parts, text.slice(done)];
}

function anchor(number) {
  const made = document.createElement("a");
  made.href = `#source-${number}`;
  made.className = "cited";
  made.textContent = number;
  return made;
}

function unlink(answer) {
  for (const made of answer.querySelectorAll("a.cited")) made.replaceWith(made.textContent);
  answer.normalize();
}
