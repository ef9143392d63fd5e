// Adds things to a Linux program file (elf(5), 64 bits). The usual tools cannot be combined: postject breaks what
// patchelf has changed, and postject on its own leaves the program headers unaligned.

/** As large as any Linux has them: on Arm up to 64 KiB. */
const PAGE = 0x10000;
const PROGRAM_HEADER = 56;
const [LOAD, DYNAMIC, NOTE, PHDR] = [1, 2, 4, 6];
const READABLE = 4;
/** Entries of the dynamic section: the string table, its size, and where libraries are looked for first. */
const [DT_STRTAB, DT_STRSZ, DT_RUNPATH] = [5, 10, 29];
const SHT_STRTAB = 3;

/**
 * Adds a note with that name, which the program finds in its memory, and a folder where its libraries are looked for.
 * What is added is in one new segment at the end; nothing else moves.
 */
export function extendElf(file, { note, runpath }) {
  const headers = readHeaders(file);
  const loads = headers.filter(({ type }) => type === LOAD);
  const base = loads[0].vaddr - loads[0].offset;
  const memoryEnd = Math.max(...loads.map(({ vaddr, memsz }) => vaddr + memsz));
  // At the same offset in the file as in memory: older kernels compute the place of the program headers that way.
  const offset = roundUp(Math.max(file.length, memoryEnd - base), PAGE);
  const vaddr = base + offset;

  const strings = extendStrings(file, headers, runpath);
  const noted = makeNote(note.name, note.data);
  const stringsAt = roundUp((headers.length + 2) * PROGRAM_HEADER, 16);
  const noteAt = roundUp(stringsAt + strings.table.length, 16);
  const size = noteAt + noted.length;

  const own = headers.find(({ type }) => type === PHDR);
  if (own) Object.assign(own, place(offset, vaddr, (headers.length + 2) * PROGRAM_HEADER));
  const segment = { type: LOAD, flags: READABLE, ...place(offset, vaddr, size), align: PAGE };
  headers.splice(headers.indexOf(loads.at(-1)) + 1, 0, segment);
  headers.push({
    type: NOTE,
    flags: READABLE,
    ...place(offset + noteAt, vaddr + noteAt, noted.length),
    align: 4,
  });

  const extended = Buffer.alloc(offset + size);
  file.copy(extended);
  strings.tell(extended, offset + stringsAt, vaddr + stringsAt);
  writeHeaders(extended, offset, headers);
  strings.table.copy(extended, offset + stringsAt);
  noted.copy(extended, offset + noteAt);
  return extended;
}

/** The string table with one more, and what makes the file use it. */
function extendStrings(file, headers, runpath) {
  const dynamic = headers.find(({ type }) => type === DYNAMIC);
  const slots = Array.from({ length: dynamic.filesz / 16 }, (_, k) => dynamic.offset + k * 16);
  const tagOf = (at) => word(file, at);
  const slotOf = (tag) => slots.find((at) => tagOf(at) === tag);
  // The first empty one ends the list, so another must follow it.
  const free = slots.findIndex((at) => tagOf(at) === 0);
  if (slotOf(DT_RUNPATH) !== undefined || free < 0 || free + 1 >= slots.length) {
    throw new Error('no room for a library path');
  }
  const oldVaddr = word(file, slotOf(DT_STRTAB) + 8);
  const oldSize = word(file, slotOf(DT_STRSZ) + 8);
  const oldOffset = fileOffset(headers, oldVaddr);
  const table = Buffer.concat([file.subarray(oldOffset, oldOffset + oldSize), Buffer.from(`${runpath}\0`)]);
  const tell = (extended, offset, vaddr) => {
    setWord(extended, slotOf(DT_STRTAB) + 8, vaddr);
    setWord(extended, slotOf(DT_STRSZ) + 8, table.length);
    setWord(extended, slots[free], DT_RUNPATH);
    setWord(extended, slots[free] + 8, oldSize);
    // For tools only; the loader does not use sections.
    const section = sectionsOf(file).find(
      (at) => file.readUInt32LE(at + 4) === SHT_STRTAB && word(file, at + 16) === oldVaddr,
    );
    if (section === undefined) return;
    setWord(extended, section + 16, vaddr);
    setWord(extended, section + 24, offset);
    setWord(extended, section + 32, table.length);
  };
  return { table, tell };
}

function fileOffset(headers, vaddr) {
  const holder = headers.find(
    (header) => header.type === LOAD && vaddr >= header.vaddr && vaddr < header.vaddr + header.filesz,
  );
  return vaddr - holder.vaddr + holder.offset;
}

function makeNote(name, data) {
  const named = Buffer.alloc(roundUp(name.length + 1, 4));
  named.write(name);
  const head = Buffer.alloc(12);
  head.writeUInt32LE(name.length + 1, 0);
  head.writeUInt32LE(data.length, 4);
  return Buffer.concat([head, named, data, Buffer.alloc(roundUp(data.length, 4) - data.length)]);
}

function place(offset, vaddr, size) {
  return { offset, vaddr, paddr: vaddr, filesz: size, memsz: size };
}

function readHeaders(file) {
  if (file.readUInt32BE(0) !== 0x7f454c46 || file[4] !== 2 || file[5] !== 1)
    throw new Error('not a 64-bit ELF file');
  const start = word(file, 32);
  return Array.from({ length: file.readUInt16LE(56) }, (_, k) => {
    const at = start + k * PROGRAM_HEADER;
    const [offset, vaddr, paddr, filesz, memsz, align] = [8, 16, 24, 32, 40, 48].map((d) =>
      word(file, at + d),
    );
    const [type, flags] = [file.readUInt32LE(at), file.readUInt32LE(at + 4)];
    return { type, flags, offset, vaddr, paddr, filesz, memsz, align };
  });
}

function writeHeaders(file, start, headers) {
  setWord(file, 32, start);
  file.writeUInt16LE(headers.length, 56);
  headers.forEach((header, k) => {
    const at = start + k * PROGRAM_HEADER;
    file.writeUInt32LE(header.type, at);
    file.writeUInt32LE(header.flags, at + 4);
    ['offset', 'vaddr', 'paddr', 'filesz', 'memsz', 'align'].forEach((field, n) => {
      setWord(file, at + 8 + n * 8, header[field]);
    });
  });
}

function sectionsOf(file) {
  return Array.from({ length: file.readUInt16LE(60) }, (_, k) => word(file, 40) + k * file.readUInt16LE(58));
}

function word(file, at) {
  return Number(file.readBigUInt64LE(at));
}

function setWord(file, at, value) {
  file.writeBigUInt64LE(BigInt(value), at);
}

function roundUp(value, unit) {
  return Math.ceil(value / unit) * unit;
}
