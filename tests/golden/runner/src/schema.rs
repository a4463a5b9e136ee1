//! Schemas of any size, for measuring how long compilers take for what is generated.

use std::fmt::Write as _;

/// A schema of `interfaces` interfaces with `methods` methods each, and the types that they use.
///
/// Of ten methods one is one-way, one is an event, one has an `inout`, one an `out` argument, two throw, and the others
/// return a number or a struct. Each interface has a struct and an enum of its own.
pub fn large(interfaces: usize, methods: usize) -> String {
    let mut text = String::from(
        "//! A large schema.\npackage large.schema@1.0;\n\nalias Key = string<30>;\nerror Fault : u32 { MISSING = 1, BUSY = 2 }\n\
         struct Uuid { u64 high; u64 low; }\n",
    );
    // Writing to a string does not fail.
    for interface in 0..interfaces {
        let _ = write!(
            text,
            "\nenum Kind{interface} : u8 {{ FIRST = 0, SECOND = 1, THIRD = 2 }}\n\
             struct Item{interface} {{\n    Uuid id;\n    Key key;\n    u32 size;\n    Kind{interface} kind;\n    u64? expires;\n    vec<u32, 4> parts;\n}}\n\
             /// Interface number {interface}.\ninterface IService{interface} {{\n"
        );
        for method in 0..methods {
            let _ = writeln!(text, "    /// Method number {method}.");
            let _ = match method % 10 {
                0 => writeln!(
                    text,
                    "    Item{interface} get{method}(in Key key) throws Fault;"
                ),
                1 => writeln!(
                    text,
                    "    void put{method}(in Item{interface} item, in Kind{interface} kind) throws Fault;"
                ),
                2 => writeln!(text, "    u64 count{method}(in u32 from, in u32 to);"),
                3 => writeln!(text, "    oneway void touch{method}(in Key key);"),
                4 => writeln!(
                    text,
                    "    event void changed{method}(in Uuid id, in Kind{interface} kind);"
                ),
                5 => writeln!(
                    text,
                    "    void scan{method}(inout u64 cursor, out vec<Uuid, 8> page);"
                ),
                6 => writeln!(text, "    bool has{method}(in Uuid id);"),
                7 => writeln!(text, "    u32 add{method}(in u32 a, in u64 b, in bool c);"),
                8 => writeln!(text, "    void swap{method}(inout Item{interface} item);"),
                _ => writeln!(
                    text,
                    "    Kind{interface} kind{method}(in Uuid id, out u32 size);"
                ),
            };
        }
        text.push_str("}\n");
    }
    text
}
