/** A receipt as a picture: drawn on a canvas, because a web view can't photograph its own page. */
export interface Ticket { heading: string; title: string; /** The money is where it was meant to go: a tick, else a mark of exclamation. */ good: boolean; amount: string | null; note?: string; /** The way to the bank's page that checks it. */ code?: Proof; lines: readonly { label: string; value: string }[] }

/** `caption`: which receipt it checks. */
export interface Proof { rows: readonly (readonly boolean[])[]; note: string; caption: readonly string[] }

const WIDTH = 720;
const MARGIN = 48;
const ROW = 64;
/** Twice the size, so that the picture is sharp when it is printed or enlarged. */
const SCALE = 2;
const NOTE = '400 24px';
const NOTE_LINE = 36;
const CODE = 256;

export async function ticketPicture(ticket: Ticket): Promise<Blob | null> {
  const rows = ticket.lines.length;
  const canvas = document.createElement('canvas');
  const pen = canvas.getContext('2d');
  if (!pen) return null;
  const font = getComputedStyle(document.documentElement).getPropertyValue('--font') || 'sans-serif';
  pen.font = `${NOTE} ${font}`;
  const note = broken(ticket.note ?? '', (text) => pen.measureText(text).width <= WIDTH - 2 * MARGIN);
  const head = ticket.amount === null ? 232 : 316;
  const top = head + (note.length > 0 ? 16 : 0) + note.length * NOTE_LINE;
  const code = (ticket.code?.rows.length ?? 0) > 0 ? CODE + 24 : 0;
  const height = top + rows * ROW + code + MARGIN;
  canvas.width = WIDTH * SCALE;
  canvas.height = height * SCALE;
  pen.scale(SCALE, SCALE);
  draw(pen, { ...ticket, note }, { height, top, head, font });
  return new Promise((resolve) => canvas.toBlob(resolve, 'image/png'));
}

/** Always dark on white, whatever the theme: it is for other people's eyes. */
const INK = { paper: '#ffffff', ink: '#12211c', soft: '#5d6c65', jade: '#0a7355', jadeSoft: '#dff1e8', amber: '#8a5400', amberSoft: '#fdf0d5', line: '#d9dfd9' };

/** Text in lines that fit: between words, and between any two Chinese characters but before no mark. */
export function broken(text: string, fits: (text: string) => boolean): string[] {
  const lines: string[] = [];
  let line = '';
  for (const piece of text.match(/[\u2e80-\u9fff\uf900-\ufaff][\u3000-\u303f\uff00-\uffef]*|[^\s\u2e80-\u9fff\uf900-\ufaff]+\s*|\s+/g) ?? []) {
    if (line !== '' && !fits((line + piece).trimEnd())) {
      lines.push(line.trimEnd());
      line = '';
    }
    line += piece;
  }
  return line === '' ? lines : [...lines, line.trimEnd()];
}

/** What stands beside the code: what it is for, and which receipt's it is. */
export function beside({ note, caption }: Proof, fits: (text: string) => boolean): { text: string; strong: boolean }[] {
  return [...broken(note, fits).map((text) => ({ text, strong: false })), ...caption.map((text) => ({ text, strong: true }))];
}

interface Layout { height: number; top: number; head: number; font: string }
type Drawn = Omit<Ticket, 'note'> & { note: readonly string[] };

function draw(pen: CanvasRenderingContext2D, ticket: Drawn, { height, top, head, font }: Layout): void {
  pen.fillStyle = INK.paper;
  pen.fillRect(0, 0, WIDTH, height);
  pen.fillStyle = INK.jade;
  pen.fillRect(0, 0, WIDTH, 12);
  const write = (text: string, x: number, y: number, style: string, color: string, align: CanvasTextAlign, most: number): void => {
    pen.font = `${style} ${font}`;
    pen.fillStyle = color;
    pen.textAlign = align;
    pen.fillText(text, x, y, most);
  };
  const middle = WIDTH / 2;
  write(ticket.heading, middle, 64, '500 24px', INK.soft, 'center', WIDTH - 2 * MARGIN);
  (ticket.good ? tick : bang)(pen, middle, 116);
  write(ticket.title, middle, 196, '600 32px', INK.ink, 'center', WIDTH - 2 * MARGIN);
  if (ticket.amount !== null) write(ticket.amount, middle, 272, '600 60px', INK.ink, 'center', WIDTH - 2 * MARGIN);
  ticket.note.forEach((line, i) => write(line, middle, head + 8 + i * NOTE_LINE, NOTE, INK.soft, 'center', WIDTH - 2 * MARGIN));
  ticket.lines.forEach(({ label, value }, i) => {
    const y = top + i * ROW;
    pen.fillStyle = INK.line;
    pen.fillRect(MARGIN, y - 16, WIDTH - 2 * MARGIN, 1);
    write(label, MARGIN, y + 26, '400 26px', INK.soft, 'left', 220);
    // As wide as the label leaves room: a bank with a long name is not squeezed beside a short word.
    const left = Math.min(220, pen.measureText(label).width) + 16;
    write(value, WIDTH - MARGIN, y + 26, '600 26px', INK.ink, 'right', WIDTH - 2 * MARGIN - left);
  });
  if (ticket.code && ticket.code.rows.length > 0) {
    const below = top + ticket.lines.length * ROW;
    const room = WIDTH - 2 * MARGIN - CODE - 24;
    pen.font = `${NOTE} ${font}`;
    const lines = beside(ticket.code, (text) => pen.measureText(text).width <= room);
    codeOf(pen, ticket.code, below);
    const first = below + (CODE - lines.length * NOTE_LINE) / 2 + NOTE_LINE / 2;
    lines.forEach(({ text, strong }, i) => write(text, MARGIN + CODE + 24, first + i * NOTE_LINE, strong ? NOTE.replace('400', '600') : NOTE, strong ? INK.ink : INK.soft, 'left', room));
  }
}

/** In black on white, square by square, so that no reader meets a blurred edge. */
function codeOf(pen: CanvasRenderingContext2D, { rows }: Proof, top: number): void {
  const unit = Math.floor((CODE * SCALE) / (rows.length + 8)) / SCALE;
  pen.fillStyle = '#000000';
  rows.forEach((row, y) => row.forEach((dark, x) => { if (dark) pen.fillRect(MARGIN + (x + 4) * unit, top + (y + 4) * unit, unit, unit); }));
}

function disc(pen: CanvasRenderingContext2D, x: number, y: number, ground: string, ink: string): void {
  pen.fillStyle = ground;
  pen.beginPath();
  pen.arc(x, y, 30, 0, 2 * Math.PI);
  pen.fill();
  pen.strokeStyle = ink;
  pen.lineWidth = 5;
  pen.lineCap = 'round';
  pen.lineJoin = 'round';
  pen.beginPath();
}

function bang(pen: CanvasRenderingContext2D, x: number, y: number): void {
  disc(pen, x, y, INK.amberSoft, INK.amber);
  pen.moveTo(x, y - 13);
  pen.lineTo(x, y + 3);
  pen.moveTo(x, y + 13);
  pen.lineTo(x, y + 13.1);
  pen.stroke();
}

function tick(pen: CanvasRenderingContext2D, x: number, y: number): void {
  disc(pen, x, y, INK.jadeSoft, INK.jade);
  pen.moveTo(x - 12, y + 1);
  pen.lineTo(x - 3, y + 10);
  pen.lineTo(x + 13, y - 8);
  pen.stroke();
}
