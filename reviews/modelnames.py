"""Names of models and their makers, as patterns: data for `leaks`, nothing else."""

VENDORS = (
    r"Anthropic|OpenAI|Open AI|Google(?: DeepMind| AI)?|DeepMind|Meta(?: AI)?|Microsoft"
    r"|Mistral(?: AI)?|xAI|Cohere|Alibaba(?: Cloud)?|DeepSeek|Moonshot(?: AI)?|Zhipu(?: AI)?"
    r"|LMSYS|Stability AI|Databricks|Nvidia|Amazon|Baidu|Tencent|MiniMax|AI21(?: Labs)?"
    r"|Inflection(?: AI)?|Together(?: AI)?|Hugging ?Face|EleutherAI"
    r"|the Allen Institute for AI|IBM|LAION(?: AI)?"
    r"|Large Model Systems Organization|TII|Technology Innovation Institute"
)
FAMILIES = (
    r"ChatGPT|GPT|Claude|Gemini|Gemma|L[Ll]a[Mm][Aa]|Mistral|Mixtral|Codestral|Qwen|Tongyi Qianwen"
    r"|DeepSeek|Grok|Bard|PaLM|LaMDA|Copilot|Bing|Kimi|ChatGLM|GLM|Vicuna|Alpaca|Koala|Falcon"
    r"|Command R|Phi|Nova|Dolly|OpenAssistant|Open Assistant|Pythia|StableLM|Guanaco|WizardLM"
    r"|Zephyr|Yi|Ernie|ERNIE Bot|Pi|Sydney"
)
#: Words of a version; a number counts only where it cannot be years, pieces or a mission.
MODELS = "|".join((
    r"ChatGPT(?:[- ]?(?:Plus|\d(?:\.\d)?o?))?",
    r"GPT[- ]?(?:Neo(?:X)?|J|\d(?:\.\d)?o?)"
    r"(?:[- ](?:Turbo|turbo|mini|Mini|nano|Vision|\d\d+[kK]?))*",
    r"text-davinci-\d+|davinci-\d+|Instruct ?GPT|OpenAI o\d(?:-\w+)?|o[134]-(?:mini|preview|pro)",
    r"(?:Anthropic(?:'s|’s)? )?Claude[- ](?:v?\d(?:\.\d)?(?!\d)|Instant|Opus|Sonnet|Haiku)"
    r"(?:[- ](?:\d(?:\.\d)?(?!\d)|Opus|Sonnet|Haiku|Instant))*",
    r"Gemini[- ](?:\d\.\d|Pro|Flash|Ultra|Nano|Advanced)(?:[- ](?:\d\.\d|Pro|Flash|Ultra))*",
    r"(?:Code ?)?L[Ll]a[Mm][Aa][- ]?\d(?:\.\d)?(?:[- ]\d+[Bb])?(?:[- ](?:Chat|Instruct))?",
    r"(?:Mi[sx]tral|Codestral)[- ](?:\d+x?\d*[Bb]|Large|Small|Medium|Nemo|Instruct)",
    r"Qwen[- ]?\d(?:\.\d)?|DeepSeek[- ](?:[VR]\d(?:\.\d)?|Chat|Coder)|Grok[- ]\d(?:\.\d)?",
    r"Gemma[- ]\d+[Bb]?|PaLM[- ]?2|Phi-\d(?:\.\d)?|Falcon[- ]\d+[Bb]|Kimi K\d|GLM-\d(?:\.\d)?",
    r"Google Bard|Bing Chat|Microsoft Copilot|Meta AI(?: assistant)|Amazon Nova|Cohere Command",
    r"(?:Vicuna|Alpaca|Guanaco|Koala|Pythia|WizardLM|Dolly|StableLM)[- ]v?\d+(?:\.\d)?[Bb]?",
))  # fmt: skip
NOT_A_COUNT = (
    r"(?! (?:years?|months?|days?|hours?|minutes?|seconds?|times|missions?|partitions?|km|miles)\b)"
)
#: Written so by no painter, star or animal, but perhaps by a text about models.
ALONE = (
    r"ChatGPT|GPT|OpenAI|Anthropic|Claude|Gemini|L[Ll]a[Mm][Aa]|Mistral|Mixtral|DeepSeek"
    r"|DeepMind|Qwen|xAI"
)
#: Words of ids that any text may use.
COMMON = frozenset(
    """advanced base beta chat code coder cheap command dev expensive fast flash free instruct
    instant it large latest lite local max medium mini model nano next old preview pro small stable
    standard text thinking tiny turbo ultra v version vision""".split()  # noqa: SIM905 - a table of words reads best as one
)
