"""embed.py IN OUT: writes the bytes of IN as a C++ header."""
import sys

data = open(sys.argv[1], 'rb').read()
with open(sys.argv[2], 'w') as out:
    out.write('#pragma once\n\nnamespace cairn {\n\ninline constexpr unsigned char kSchemaBytes[] = {\n')
    for at in range(0, len(data), 20):
        out.write('    ' + ' '.join(f'{byte},' for byte in data[at:at + 20]) + '\n')
    out.write('};\n\n}  // namespace cairn\n')
