//! Why a body or its headers cannot be read as one MCP message.

/// The body is no message that means one thing to every reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MessageFault {
    /// No UTF-8, or not JSON (RFC 8259), or anything before or after the value.
    NotJson,
    /// Arrays and objects nested too deep.
    TooDeep,
    /// A member name stands twice in one object.
    Duplicate,
    /// A member name that some JSON libraries give a meaning of their own.
    Reserved,
    /// A member name that readers who fold case take for one of ours.
    Alike,
    /// An array of messages (MCP-23).
    Batch,
    /// A value that is no object, or without `jsonrpc` of 2.0.
    Version,
    /// Neither a request, nor a notification, nor a response; or two of them.
    Shape,
    /// An id that is neither a string nor an integer of 64 bits.
    Id,
    /// A method that is no string.
    Method,
    /// Parameters that are no object.
    Params,
    /// The name, URI, task id or reference that the method needs is missing, or no string.
    Name,
    /// The arguments of a tool or prompt are no object.
    Arguments,
    /// More resources are subscribed to than anybody would.
    TooMany,
    /// More than one `Content-Type`.
    ContentType,
    /// A `Content-Type` with a charset that is not UTF-8.
    Charset,
    /// The body is compressed.
    ContentEncoding,
}

impl MessageFault {
    /// One sentence for the client.
    pub(crate) const fn text(self) -> &'static str {
        match self {
            Self::NotJson => "The body is not valid JSON in UTF-8.",
            Self::TooDeep => "The body is nested deeper than 64 levels.",
            Self::Duplicate => "The body has two members of the same name in one object.",
            Self::Reserved => "The body has a reserved member name.",
            Self::Alike => "The body has a member name that differs from a known one only in case.",
            Self::Batch => "The body is an array, and batches are not supported.",
            Self::Version => "The body is not a JSON-RPC 2.0 message.",
            Self::Shape => "The body is not one request, notification or response.",
            Self::Id => "The id is neither a string nor an integer of 64 bits.",
            Self::Method => "The method is not a string.",
            Self::Params => "The params are not an object.",
            Self::Name => "The params lack the name, URI or id that this method needs.",
            Self::Arguments => "The arguments are not an object.",
            Self::TooMany => "The request subscribes to more than 1024 resources.",
            Self::Charset => "The request has a charset that is not UTF-8.",
            Self::ContentType => "The request has more than one Content-Type header.",
            Self::ContentEncoding => "The request has a Content-Encoding, which is not supported.",
        }
    }
}

/// The headers that repeat parts of the body are not to be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HeaderFault {
    /// One of them stands on several lines (MCP-4).
    Repeated,
    /// One of them has a byte outside visible ASCII, space and tab.
    Unreadable,
    /// The Base64 in `Mcp-Name` is none, or does not hold UTF-8 (MCP-6).
    Encoding,
    /// A request of the version that requires `Mcp-Method` is without it (MCP-1).
    MethodMissing,
    /// A request whose method requires `Mcp-Name` is without it (MCP-1).
    NameMissing,
    /// `Mcp-Method` is not the method in the body (MCP-3).
    MethodDiffers,
    /// `Mcp-Name` is not the name in the body (MCP-3).
    NameDiffers,
}

impl HeaderFault {
    /// One sentence for the client.
    pub(crate) const fn text(self) -> &'static str {
        match self {
            Self::Repeated => "MCP-Protocol-Version, Mcp-Method or Mcp-Name stands more than once.",
            Self::Unreadable => {
                "MCP-Protocol-Version, Mcp-Method or Mcp-Name has characters that are not allowed."
            }
            Self::Encoding => "Mcp-Name is not valid Base64 of UTF-8.",
            Self::MethodMissing => "The request lacks the Mcp-Method header.",
            Self::NameMissing => "The request lacks the Mcp-Name header that its method needs.",
            Self::MethodDiffers => "Mcp-Method does not match the method in the body.",
            Self::NameDiffers => "Mcp-Name does not match the name in the body.",
        }
    }
}
