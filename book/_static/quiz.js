// Makes the quiz of a chapter answerable. The page holds it as plain text: a question, its choices in a list, and a folded
// answer that says of each choice why (tests/notebooks/chapter_rules.py checks that no part is missing). Here each choice becomes a
// button that opens what the answer says of it. Nothing is stored and nothing is sent.

const element = (name, properties = {}, ...children) => {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
};

/** The parts of each question below a heading: {choices, feedback, answer}, where the page has all of them. */
const questions = (section) =>
  [...section.querySelectorAll(":scope > details.sd-dropdown")]
    .map((answer) => ({
      answer,
      choices: [...(answer.previousElementSibling?.matches("ul") ? answer.previousElementSibling.children : [])],
      feedback: [...answer.querySelectorAll(".sd-card-body > ul > li")],
    }))
    .filter(({ choices, feedback }) => choices.length && choices.length === feedback.length);

/** Turn a list item into a button that opens its feedback; `answered(right)` is told of each press. */
const enhance = (choice, feedback, answered) => {
  const text = choice.querySelector("p") ?? choice;
  const verdict = feedback.querySelector("strong");
  const right = verdict.textContent.endsWith("is right.");
  verdict.textContent = right ? "✓ Right." : "✗ Not this one.";
  const button = element("button", { type: "button", className: "lc-choice" }, ...text.childNodes);
  const said = element("div", { hidden: true, className: right ? "lc-right" : "lc-wrong" }, ...feedback.childNodes);
  const status = element("div", {}, said);
  status.setAttribute("role", "status");
  button.setAttribute("aria-expanded", "false");
  const open = (shown) => {
    said.hidden = !shown;
    button.setAttribute("aria-expanded", String(shown));
  };
  button.addEventListener("click", () => {
    open(true);
    answered(right);
  });
  choice.replaceChildren(button, status);
  return () => open(false);
};

const start = (section) => {
  const items = questions(section);
  if (!items.length) return;
  let first = []; // of each question: whether the first choice was right
  const score = element("p", { className: "lc-score" });
  score.setAttribute("role", "status");
  const again = element("button", { type: "button", className: "lc-again", hidden: true }, "Start again");
  const tell = () => {
    const right = first.filter((answer) => answer).length;
    const answered = Object.keys(first).length;
    score.textContent = answered
      ? `${answered} of ${items.length} answered, ${right} right at the first try.`
      : "Choose an answer to see what it says. Nothing is stored or sent.";
    again.hidden = !answered;
  };
  const closing = items.flatMap(({ choices, feedback, answer }, i) => {
    choices[0].parentElement.classList.add("lc-choices");
    answer.remove();
    return choices.map((choice, j) =>
      enhance(choice, feedback[j], (right) => {
        first[i] ??= right;
        tell();
      }),
    );
  });
  again.addEventListener("click", () => {
    first = [];
    closing.forEach((close) => close());
    tell();
    section.querySelector(".lc-choice").focus();
  });
  section.append(score, again);
  tell();
};

document.querySelectorAll("section#quiz").forEach(start);
