/**
 * Characters that do not show, or that change how their neighbours show. People who review a tool must see what a
 * model reads (https://www.unicode.org/reports/tr36/).
 */

/** C0 and C1 controls and everything that changes the direction of writing. */
const control = /[\p{Cc}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/u;
/** In prose tabs and line ends are fine, and a right-to-left mark is how some languages are written. */
const controlInText = /(?![\t\n\r])[\p{Cc}\u202a-\u202e\u2066-\u2069]/u;

/** Zero-width characters, joiners, variation selectors, tag characters and fillers; not the marks above. */
const invisible = /(?![\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069])\p{Default_Ignorable_Code_Point}/u;
/** Emoji are made with joiners and selectors, and Arabic and Indic scripts are written with joiners. */
const ordinaryUse = [
  /(?<=\p{Emoji})\ufe0f/gu,
  /(?<=\p{Extended_Pictographic}|\p{Emoji_Modifier}|\ufe0f)\u200d(?=\p{Extended_Pictographic})/gu,
  /(?<=\p{Script=Arabic}|\p{Script=Devanagari}|\p{Script=Bengali}|\p{Script=Tamil}|\p{Script=Telugu}|\p{Script=Kannada}|\p{Script=Malayalam}|\p{Script=Gujarati}|\p{Script=Gurmukhi}|\p{Script=Sinhala})[\u200c\u200d]/gu,
];

/** No tool of such a name is ever listed or called: whoever reads the name is shown another one. */
export function hasControlCharacters(name: string): boolean {
  return control.test(name);
}

/** Escape sequences and the like, where text is expected. */
export function hasControlsInText(text: string): boolean {
  return controlInText.test(text);
}

/** Characters that cannot be seen and that no emoji and no script asks for. */
export function hasHiddenCharacters(text: string): boolean {
  if (!invisible.test(text)) return false;
  // Joiners first: some of them stand after a selector.
  return invisible.test(ordinaryUse.reduceRight((left, use) => left.replaceAll(use, ''), text));
}
